"""The DAG ids of a detector, for modules that do not import Airflow."""

from __future__ import annotations

PROMISED = ("load", "score", "rollback", "ask", "label", "channel", "housekeeping")
"""DAGs that are active from the moment that Airflow knows the detector."""

STARTING = ("ingest", "train", "recalibrate")
"""DAGs that load, train and recalibrate by schedule: paused until the user unpauses them."""

VERBS = (*STARTING, *PROMISED)

RETIRED = ("feature",)
"""DAGs of earlier releases. Airflow keeps their runs until the detector is removed."""


def dag_id(detector: str, verb: str) -> str:
    """The DAG `<detector>__<verb>`."""
    return f"{detector}__{verb}"


def parts(name: str) -> tuple[str, str]:
    """The detector and the verb of a DAG."""
    detector, _, verb = name.rpartition("__")
    return detector, verb
