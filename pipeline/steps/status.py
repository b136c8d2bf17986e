"""The state of each expected day, which proves that none was skipped silently.

It is read from three tables: `ingestions` has the state of a day after its latest attempt,
`scores` whether it has scores, `scorings` when, and why not.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.monitoring.day_status import (
    Delivery,
    PartitionState,
    Scoring,
    expected,
    outside,
    states_of,
    within,
)
from pipeline.settings import Deployment
from pipeline.store.ingestions import counting_attempts
from pipeline.store.scores import scored_days
from pipeline.store.scorings import scorings_in_order


def partition_states(
    here: Deployment, spec: DetectorSpec, today: date
) -> tuple[PartitionState, ...]:
    """The state of every day that is expected by `today`, and of all on record, oldest first."""
    deliveries, scorings = _deliveries(here, spec.name), _scorings(here, spec.name)
    scored = {day for day, scoring in scorings.items() if scoring.held}
    with_rows = {day for day, each in deliveries.items() if each.had_rows} | scored
    known = deliveries.keys() | scored
    # A day that is not over is not due, and a result from before its end is not final.
    inside = {day for day in known if within(spec, day) and (day < today or day in with_rows)}
    due = {*expected(spec, sorted(with_rows & inside), today), *inside}
    states = states_of(sorted(due), deliveries, scorings)
    others = states_of(sorted(known - inside), deliveries, scorings)
    return tuple(sorted((*states, *map(outside, others)), key=lambda each: each.day))


def _deliveries(here: Deployment, detector: str) -> dict[date, Delivery]:
    names = ("verdict", "reasons", "accepted", "difference", "telemetry_version")
    rows = counting_attempts(here, detector, names)
    # The same rows judged by another contract are validated anew and change nothing.
    let_in = rows[rows["verdict"].eq("validated") & rows["accepted"].gt(0)]
    changed = let_in[~let_in.duplicated("date") | let_in["difference"].notna()]
    changed_at = dict(zip(changed["date"], changed["attempted_at"], strict=True))
    changed_in = _versions(changed.drop_duplicates("date", keep="last"))
    return {
        row["date"]: Delivery(
            standing=row["standing"],
            reason=row["reasons"] or "",
            accepted=row["date"] in changed_at,
            changed_at=changed_at.get(row["date"]),
            changed_in=changed_in.get(row["date"]),
        )
        for row in _latest(rows)
    }


def _scorings(here: Deployment, detector: str) -> dict[date, Scoring]:
    held = set(scored_days(here, detector))
    rows = scorings_in_order(here, detector, ("verdict", "reason", "telemetry_version"))
    done = rows[rows["verdict"] == "scored"]
    scored_at: dict[date, pd.Timestamp] = dict(zip(done["date"], done["scored_at"], strict=True))
    # Of two runs that crossed, the one that read more may be on record first.
    read = _versions(done.sort_values("telemetry_version", na_position="first"))
    latest = {
        row["date"]: Scoring(
            held=row["date"] in held,
            verdict=row["verdict"],
            reason=row["reason"] or "",
            scored_at=scored_at.get(row["date"]),
            read=read.get(row["date"]),
        )
        for row in _latest(rows)
    }
    return {day: Scoring(held=True) for day in held} | latest


def _latest(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """The last row of each day; `rows` are in order."""
    return rows.drop_duplicates("date", keep="last").to_dict("records")


def _versions(rows: pd.DataFrame) -> dict[date, int]:
    """The version of telemetry that the last row of each day names; absent where it names none."""
    known = rows[rows["telemetry_version"].notna()]
    return dict(zip(known["date"], known["telemetry_version"].astype(int), strict=True))
