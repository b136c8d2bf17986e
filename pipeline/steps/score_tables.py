"""Writing scored days to the tables `scores`, `incidents` and `scorings`, and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import tables
from pipeline.data.fingerprint import fingerprint, row_hashes
from pipeline.incidents.parts import IncidentPart
from pipeline.steps.day_scores import DayScores, as_json, from_json
from pipeline.steps.scoring_inputs import DayInputs
from pipeline.tables import Table
from pipeline.tables.scan import frame_of, scan
from pipeline.tables.schemas import COMMIT, SCHEMAS, TableName


@dataclass(frozen=True)
class Held:
    """The rows of two tables on some days, each read at one version.

    Attributes:
        scores_version: of the table `scores`; 0 while it does not exist.
        incidents_version: of the table `incidents`; likewise.
        scores: rows with the column `date`, as `pipeline.tables.scan` reads them.
        incidents: rows with the column `date`.
    """

    scores_version: int
    incidents_version: int
    scores: pa.Table
    incidents: pd.DataFrame


def held(root: str, detector: str, days: Sequence[date]) -> Held:
    """The rows of the tables on `days`."""
    scores_version, scores = _scores(Table(root, detector, "scores"), days)
    incidents_version, incidents = _incidents(Table(root, detector, "incidents"), days)
    return Held(scores_version, incidents_version, scores, incidents)


def commit(
    root: str,
    detector: str,
    scored: Sequence[DayScores],
    before: Held,
    *,
    withdrawn: int | None,
    run: str,
) -> set[date]:
    """Write `scored` to the tables; return the days on which something changed.

    Incidents come first: a rollback that is interrupted between the two tables finds the day again
    by its scores, and its withdrawals are in the table by then. Incident parts of version
    `withdrawn`, and those withdrawn before, are kept as withdrawn.

    Raises:
        TableConflict: another run changed one of the days after `before` was read.
    """
    days = [each.day for each in scored]
    incidents = _stacked(
        "incidents",
        [_withdrawn(before.incidents, days, withdrawn), *map(_part_rows, scored)],
    )
    scores = pa.concat_tables([SCHEMAS["scores"].empty_table(), *(each.scores for each in scored)])
    where = Table(root, detector, "incidents")
    old = _stacked("incidents", [before.incidents])
    changed = _replace(where, incidents, old, before.incidents_version, run)
    where = Table(root, detector, "scores")
    return changed | _replace(where, scores, before.scores, before.scores_version, run)


def content_hashes(rows: pd.DataFrame) -> dict[date, str]:
    """For each day in the column `date`, a hash of its rows, whatever their order."""
    content = rows.drop(columns="date")
    place, days = pd.factorize(rows["date"])
    ordered = row_hashes(content)[np.argsort(place, kind="stable")]
    ends = np.cumsum(np.bincount(place, minlength=len(days)))
    by_day = np.split(ordered, ends[:-1])
    return {day: fingerprint(held, content.columns) for day, held in zip(days, by_day, strict=True)}


def record(
    root: str,
    detector: str,
    scored: Sequence[tuple[DayScores, DayInputs]],
    *,
    about: dict[str, Any],
) -> None:
    """Append a row to `scorings` for each scored day; `about` has the columns they share."""
    rows = [
        {
            "date": scores.day,
            "verdict": "scored" if scores.rows else "empty",
            "reason": scores.remark,
            "rows": scores.rows,
            "flags": scores.flags,
            "incidents": len(scores.parts),
            "median_score": scores.median_score,
            "basis": inputs.name,
            **about,
        }
        for scores, inputs in scored
    ]
    if rows:
        tables.append(Table(root, detector, "scorings"), rows)


def record_failure(
    root: str, detector: str, failures: dict[date, str], *, now: datetime, run: str
) -> None:
    """Append a row to `scorings` for each day that could not be scored."""
    tables.append(
        Table(root, detector, "scorings"),
        [
            {"date": day, "scored_at": now, "run_id": run, "verdict": "failed", "reason": reason}
            for day, reason in failures.items()
        ],
    )


def last_input_names(root: str, detector: str, days: Sequence[date]) -> dict[date, str]:
    """The name of the inputs of the latest scoring of each of `days` that did not fail."""
    rows = tables.read(
        Table(root, detector, "scorings"),
        first_day=min(days),
        last_day=max(days),
        columns=["scored_at", COMMIT, "verdict", "basis"],
        keep_date=True,
    )
    done = tables.in_order(rows[rows["verdict"] != "failed"], "scored_at")
    known = dict(zip(done["date"], done["basis"], strict=True))
    return {day: known[day] for day in days if day in known}


def parts_of(rows: pd.DataFrame) -> list[IncidentPart]:
    """Rows of `incidents` as records."""
    plain = rows.drop(columns="date", errors="ignore").to_dict("records")
    return [
        IncidentPart(
            **{**{str(k): v for k, v in row.items()}, "features": from_json(row["features"])}
        )
        for row in plain
    ]


def _scores(table: Table, days: Sequence[date]) -> tuple[int, pa.Table]:
    version, rows = scan(table, min(days), max(days))
    if version is None:
        return 0, SCHEMAS["scores"].empty_table()
    return version, _on(rows, set(days))


def _incidents(table: Table, days: Sequence[date]) -> tuple[int, pd.DataFrame]:
    version, rows = tables.read_newest(table, min(days), max(days))
    if version is None:
        return 0, pd.DataFrame(columns=SCHEMAS["incidents"].names)
    return version, rows[rows["date"].isin(list(days))]


def _part_rows(scored: DayScores) -> pd.DataFrame:
    if not scored.parts:
        return pd.DataFrame()
    rows = pd.DataFrame([vars(part) for part in scored.parts])
    rows["features"] = [as_json(part.features) for part in scored.parts]
    return rows.assign(date=scored.day)


def _withdrawn(before: pd.DataFrame, days: Sequence[date], version: int | None) -> pd.DataFrame:
    """Incident parts that stay in the table as withdrawn."""
    mine = before[before["date"].isin(list(days))]
    gone = mine["status"].eq("withdrawn")
    if version is not None:
        gone |= mine["version"].eq(version)
    return mine[gone].assign(status="withdrawn")


def _stacked(name: TableName, frames: Sequence[pd.DataFrame]) -> pa.Table:
    schema = SCHEMAS[name]
    held = [
        pa.Table.from_pandas(
            frame.reindex(columns=schema.names), schema=schema, preserve_index=False
        )
        for frame in frames
        if len(frame)
    ]
    return pa.concat_tables(held) if held else schema.empty_table()


def _replace(table: Table, rows: pa.Table, old: pa.Table, version: int, run: str) -> set[date]:
    """Commit the days whose rows differ from the `old` ones; return these days."""
    before, after = (set(held["date"].unique().to_pylist()) for held in (old, rows))
    changed, both = before ^ after, before & after  # only days on both sides need a look
    if both:
        was, now = (content_hashes(frame_of(_on(t, both))) for t in (old, rows))
        changed |= {day for day in both if was[day] != now[day]}
    if changed:
        kept, metadata = _on(rows, changed), {"run_id": run}
        tables.replace_days(table, sorted(changed), kept, metadata=metadata, based_on=version)
    return changed


def _on(rows: pa.Table, days: set[date]) -> pa.Table:
    return rows.filter(pc.field("date").isin(pa.array(sorted(days), pa.date32())))
