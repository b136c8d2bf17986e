"""The fields in every log line of a task or command: detector, partition, run and version.

They travel in structlog's contextvars, which Airflow's logging merges into each line by itself, so
a line from deep inside a step has them without being handed them. Airflow binds `dag_id`,
`task_id`, `run_id` and `try_number` besides; `run` is what the tables and the ledger call a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from structlog.contextvars import (
    bind_contextvars,
    bound_contextvars,
    get_contextvars,
    unbind_contextvars,
)

KEYS = ("detector", "partition", "run", "version")


def bind(*, detector: str = "", partition: str = "", run: str = "") -> None:
    """Bind these fields to all later log lines, and unbind those of before."""
    unbind()
    given = {"detector": detector, "partition": partition, "run": run}
    bind_contextvars(**{key: value for key, value in given.items() if value})


def bind_version(version: int | str) -> None:
    """Bind the bundle's version to later log lines: its number, or its hash where it has none.

    Outside of a task or command nothing is bound, because nobody would unbind it.
    """
    if any(key in get_contextvars() for key in KEYS):
        bind_contextvars(version=version)


def unbind() -> None:
    """Unbind all fields of ours."""
    unbind_contextvars(*KEYS)


@contextmanager
def about(*, detector: str = "", partition: str = "", run: str = "") -> Iterator[None]:
    """Bind these fields inside the context; what is bound inside is unbound at its end."""
    # Restores what was bound outside, of every key.
    with bound_contextvars(**dict.fromkeys(KEYS, "")):
        bind(detector=detector, partition=partition, run=run)
        yield


def bound(key: str) -> str:
    """The value bound to `key`; empty where nothing is bound."""
    return str(get_contextvars().get(key, ""))


def partition_of(days: Sequence[str | date]) -> str:
    """Days as one partition: 2014-05-01, or from/to as ISO 8601 has it, 2014-05-01/2014-05-31."""
    known = sorted(str(day) for day in days)
    if not known:
        return ""
    return known[0] if known[0] == known[-1] else f"{known[0]}/{known[-1]}"
