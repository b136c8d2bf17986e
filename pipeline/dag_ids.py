"""The DAGs of a detector by name, for those who talk about them without importing Airflow."""

from __future__ import annotations

PROMISED = ("load", "score", "rollback", "ask", "label", "feature", "housekeeping")
"""A promise depends on these: they are active from the moment that a detector is known."""

STARTING = ("ingest", "train", "recalibrate")
"""These start work by themselves: they wait, paused, until the user switches them on."""

VERBS = (*STARTING, *PROMISED)


def dag_id(detector: str, verb: str) -> str:
    """The DAG `<detector>__<verb>`."""
    return f"{detector}__{verb}"


def parts(name: str) -> tuple[str, str]:
    """The detector and the verb of a DAG."""
    detector, _, verb = name.rpartition("__")
    return detector, verb
