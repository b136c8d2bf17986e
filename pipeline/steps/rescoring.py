"""Days scored again, so that the incidents of a bad version are withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.steps.scoring import ScoringOutcome, score
from pipeline.steps.scoring_inputs import scoring_bundles_of
from pipeline.store.incidents import raised_parts
from pipeline.store.scores import champion_scores


def withdraw_and_rescore(
    here: Deployment,
    detector: str,
    bad_version: int,
    *,
    run: str,
    days: Sequence[date] | None = None,
) -> ScoringOutcome:
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
    first, last = (min(among), max(among)) if among else (None, None)
    columns = ["date", "version"]
    scores = champion_scores(here, detector, columns, first=first, last=last)
    raised = raised_parts(here, detector, columns, first=first, last=last)
    found = {*scores["date"][scores["version"].eq(version)]}
    found |= {*raised["date"][raised["version"].eq(version)]}
    return sorted(found if among is None else found & set(among))
