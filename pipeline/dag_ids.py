"""The DAG ids of a detector, for modules that do not import Airflow."""

from __future__ import annotations

from datetime import datetime

PROMISED = ("load", "score", "rollback", "ask", "label", "channel", "housekeeping")
"""DAGs that are active from the moment that Airflow knows the detector."""

STARTING = ("ingest", "train", "recalibrate")
"""DAGs that load, train and recalibrate by schedule: paused until the user unpauses them."""

_COMMAND_LINE = "cli__"

VERBS = (*STARTING, *PROMISED)

RETIRED = ("feature",)
"""DAGs of earlier releases. Airflow keeps their runs until the detector is removed."""


def dag_id(detector: str, verb: str) -> str:
    """The DAG `<detector>__<verb>`."""
    return f"{detector}__{verb}"


def command_line_run(detector: str, verb: str, started: datetime) -> str:
    """The name of a run from the command line, in the place of `<dag>/<run>` of Airflow."""
    return f"{dag_id(detector, verb)}/{_COMMAND_LINE}{started.isoformat(timespec='seconds')}"


def is_from_command_line(run: str) -> bool:
    """Whether the run of that name is one from the command line."""
    return run.partition("/")[2].startswith(_COMMAND_LINE)


def parts(name: str) -> tuple[str, str]:
    """The detector and the verb of a DAG."""
    detector, _, verb = name.rpartition("__")
    return detector, verb
