"""Fields that the forms of several DAGs share, and the user who filled them in."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowFailException

from pipeline.config import DetectorSpec


def triggered_by() -> str:
    """The Airflow user who triggered this run, not a name from the form."""
    user = get_current_context()["dag_run"].triggering_user_name
    if not user:
        msg = (
            "This run names no user, and a verdict needs a person who answers for it. Trigger it "
            "from the web page or the API, or use the command line with --author."
        )
        raise AirflowFailException(msg)
    return str(user)


def machine(spec: DetectorSpec) -> dict[str, Param]:
    """The field `entity`: a list where the machines are known; no field for a single machine."""
    if spec.columns.entity is None:
        return {}
    known = spec.columns.entities
    choice: dict[str, Any] = (
        {"enum": [None, *known], "values_display": {None: "every machine"}} if known else {}
    )
    return {
        "entity": Param(
            None,
            type=["null", "string"],
            title=f"Machine ({spec.columns.entity})",
            description="Empty: every machine.",
            **choice,
        )
    }


def day(description: str) -> Param:
    """A field for an optional day, with a calendar."""
    return Param(None, type=["null", "string"], format="date", description=description)


def moment(title: str, description: str) -> Param:
    """A field for an optional moment, with a calendar."""
    return Param(
        None, type=["null", "string"], format="date-time", title=title, description=description
    )


def note() -> Param:
    """The field `note`."""
    return Param(
        None,
        type=["null", "string"],
        title="Note",
        description="The reason. Kept on record.",
    )
