"""One day of a world, step by step as the DAGs `ingest` and `score` take them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.day_cost.counting import counted
from benchmarks.day_cost.plant import NAME, World, deliver
from pipeline.settings import Deployment
from pipeline.steps import (
    drifting,
    health,
    ingestion,
    notifying,
    promotion_watch,
    scoring,
    training_request,
)

STEPS = ("fetch", "validate", "write", "score", "drift", "notify", "watch", "ask")
ASIDE = ("status",)
"""Not a part of the day: the command that a person types."""


@dataclass(frozen=True)
class Taken:
    """What one step took.

    Attributes:
        step: its name.
        seconds: of wall time.
        cpu: seconds of processor time, all threads.
        read: what it read; empty where it was not counted, which takes time itself.
    """

    step: str
    seconds: float
    cpu: float
    read: dict[str, int]


def live_through(world: World, n: int, *, count: bool) -> list[Taken]:
    """Ingest and score day `n` of `world`, and act on it; what each step took, in order."""
    here, day = world.enter(), str(world.day(n))
    deliver(world.data, world.day(n))
    taken: list[Taken] = []
    handed = None
    for step, call in _calls(here, day):
        with _clocked(step, taken, count=count):
            handed = call(handed)
    return taken


def _calls(here: Deployment, day: str) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    run = f"bench__{day}"
    yield "fetch", lambda _: ingestion.fetch(here, NAME, [day], run=run)
    yield "validate", lambda staged: ingestion.validate(here, staged, run=run)
    yield "write", lambda staged: ingestion.write(here, staged, run=run)
    yield "score", lambda _: scoring.score_days(here, NAME, [day], run=run)
    yield "drift", lambda _: drifting.judge_days(here, NAME, [day], run=run)
    yield "notify", lambda _: _notify(here, day, run)
    yield "watch", lambda _: promotion_watch.watch(here, NAME, day, run=run)
    yield "ask", lambda _: _ask(here, day, run)
    yield "status", lambda _: health.health_of(here, NAME, now=datetime.now(UTC))


def _notify(here: Deployment, day: str, run: str) -> None:
    notices = notifying.due(here, NAME, [day], now=datetime.now(UTC))
    notifying.send_notices(here, notices, lambda _: None, channel="log", run=run)


def _ask(here: Deployment, day: str, run: str) -> None:
    for action in ("retrain", "recalibrate"):
        training_request.ask(here, NAME, day, action=action, run=run, now=datetime.now(UTC))


@contextmanager
def _clocked(step: str, taken: list[Taken], *, count: bool) -> Iterator[None]:
    found = Counter[str]()
    wall, cpu = time.perf_counter(), time.process_time()
    if count:
        with counted() as found:
            yield
    else:
        yield
    took = time.perf_counter() - wall, time.process_time() - cpu
    taken.append(Taken(step, *took, dict(found)))
