"""Days scored again, so that the incidents of a bad version are withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from pipeline import tables
from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.steps.scoring import score
from pipeline.steps.scoring_inputs import scoring_bundles_of
from pipeline.tables import Table


def withdraw_and_rescore(
    here: Deployment,
    detector: str,
    bad_version: int,
    *,
    run: str,
    days: Sequence[date] | None = None,
) -> dict[str, Any]:
    """Score again, with the present champion, each day that has scores of `bad_version`.

    With `days`, only these of them: several tasks share the work.

    Its incidents stay in the table as withdrawn; one that the champion raises too is read as
    raised. A repetition, also after an interruption, does only what is left.

    Returns:
        as `score_days`; `days` is 0 when nothing was left.

    Raises:
        DataError: `bad_version` still is the champion, or a day cannot be scored.
        OutageError: a store or server did not answer.
    """
    bundles = scoring_bundles_of(here, detector)
    if bundles is not None and bundles.versions[0] == bad_version:
        msg = (
            f"Version {bad_version} is the champion of {detector}: its scores cannot be withdrawn "
            "while it is live. Move the alias first."
        )
        raise DataError(msg)
    left = days_of(here, detector, bad_version, among=days)
    if bundles is None or not left:
        return {"days": 0, "rows": 0, "flags": 0, "incidents": 0, "written": 0}
    return score(here, detector, left, run=run, withdrawn=bad_version)


def days_of(
    here: Deployment, detector: str, version: int, *, among: Sequence[date] | None = None
) -> list[date]:
    """Days, in order, on which `version` as champion has scores or raised incidents.

    Of all days in the tables, or of those `among`.
    """
    root = here.storage
    span: dict[str, Any] = {"first_day": min(among), "last_day": max(among)} if among else {}
    scores = tables.read(
        Table(root, detector, "scores"), columns=["role", "version"], keep_date=True, **span
    )
    mine = scores[scores["role"].eq("champion") & scores["version"].eq(version)]
    parts = tables.read(
        Table(root, detector, "incidents"), columns=["status", "version"], keep_date=True, **span
    )
    raised = parts[parts["status"].eq("raised") & parts["version"].eq(version)]
    found = set(mine["date"]) | set(raised["date"])
    return sorted(found if among is None else found & set(among))
