"""The table `scorings`: one row for each attempt at scoring a day that changed or failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.store.ingestions import WITHDRAWN
from pipeline.store.scores import DayScores
from pipeline.tables import Table
from pipeline.tables.schemas import COMMIT


@dataclass(frozen=True)
class ScoringRun:
    """What the days that are scored at once have in common.

    Attributes:
        scored_at: when, UTC.
        run_id: which run.
        version: the champion.
        challenger: the version in its shadow; None without one.
        threshold: the champion's.
        telemetry_version: the version of `telemetry` that was read; None: there was none.
    """

    scored_at: datetime
    run_id: str
    version: int
    challenger: int | None
    threshold: float
    telemetry_version: int | None


def record_scored(
    here: Deployment, detector: str, scored: Sequence[tuple[DayScores, str]], run: ScoringRun
) -> None:
    """Append a row for each scored day, which comes with the name of its inputs."""
    rows = [
        {
            "date": scores.day,
            "verdict": "scored" if scores.rows else "empty",
            "reason": scores.remark,
            "rows": scores.rows,
            "flags": scores.flags,
            "incidents": len(scores.parts),
            "median_score": scores.median_score,
            "basis": inputs,
            **asdict(run),
        }
        for scores, inputs in scored
    ]
    if rows:
        tables.append(_table(here, detector), rows)


def record_unscored(
    here: Deployment, detector: str, failures: Mapping[date, str], *, now: datetime, run: str
) -> None:
    """Append a row for each day that could not be scored, with the reason."""
    tables.append(
        _table(here, detector),
        [
            {"date": day, "scored_at": now, "run_id": run, "verdict": "failed", "reason": reason}
            for day, reason in failures.items()
        ],
    )


def record_scores_withdrawn(
    here: Deployment, detector: str, day: date, reason: str, *, now: datetime, author: str
) -> None:
    """Append a row that says that the scores of `day` were taken back."""
    row = {"date": day, "scored_at": now, "run_id": author, "verdict": WITHDRAWN, "reason": reason}
    tables.append(_table(here, detector), [row])


def scorings_in_order(
    here: Deployment,
    detector: str,
    columns: Sequence[str],
    *,
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    """`date`, `scored_at` and `columns` of the attempts at `first` to `last`, oldest attempt first.

    Both days are included; None: no limit.
    """
    rows = tables.read(
        _table(here, detector),
        columns=["scored_at", COMMIT, *columns],
        first_day=first,
        last_day=last,
        keep_date=True,
    )
    return tables.in_order(rows, "scored_at")


def last_input_names(here: Deployment, detector: str, days: Sequence[date]) -> dict[date, str]:
    """The name of the inputs of the latest scoring of each of `days` that did not fail."""
    rows = scorings_in_order(here, detector, ["verdict", "basis"], first=min(days), last=max(days))
    done = rows[rows["verdict"] != "failed"]
    known = dict(zip(done["date"], done["basis"], strict=True))
    return {day: known[day] for day in days if day in known}


def versions_that_scored(
    here: Deployment, detector: str, *, since: datetime, days: timedelta
) -> set[int]:
    """Versions that scored, or shadowed, any day since `since`, or one of the last `days` scored.

    The span of days ends at the newest scored day: a history that has ended has one too.
    """
    rows = tables.read(
        _table(here, detector),
        columns=["scored_at", "version", "challenger"],
        keep_date=True,
    )
    if rows.empty:
        return set()
    first: date = max(rows["date"]) - days
    inside = rows[(rows["date"] >= first) | (rows["scored_at"] >= pd.Timestamp(since))]
    numbers = pd.concat([inside["version"], inside["challenger"]]).dropna()
    return {int(number) for number in numbers}


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "scorings")
