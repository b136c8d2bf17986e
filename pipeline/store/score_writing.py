"""Writing scored days to the tables `scores` and `incidents`, which must not disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import tables
from pipeline.data.fingerprint import fingerprint, row_hashes
from pipeline.settings import Deployment
from pipeline.store.incidents import rows_of
from pipeline.store.scores import DayScores
from pipeline.tables import Table
from pipeline.tables.frames import frame_of
from pipeline.tables.scan import scan
from pipeline.tables.schemas import SCHEMAS, TableName


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


def held(here: Deployment, detector: str, days: Sequence[date]) -> Held:
    """The rows of the tables on `days`."""
    scores_version, scores = _scores(Table(here.storage, detector, "scores"), days)
    incidents_version, incidents = _incidents(Table(here.storage, detector, "incidents"), days)
    return Held(scores_version, incidents_version, scores, incidents)


def commit(
    here: Deployment,
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
        [
            _withdrawn(before.incidents, days, withdrawn),
            *(rows_of(each.day, each.parts) for each in scored),
        ],
    )
    scores = pa.concat_tables([SCHEMAS["scores"].empty_table(), *(each.scores for each in scored)])
    where = Table(here.storage, detector, "incidents")
    old = _stacked("incidents", [before.incidents])
    changed = _replace(where, incidents, old, before.incidents_version, run)
    where = Table(here.storage, detector, "scores")
    return changed | _replace(where, scores, before.scores, before.scores_version, run)


def content_hashes(rows: pd.DataFrame) -> dict[date, str]:
    """For each day in the column `date`, a hash of its rows, whatever their order."""
    content = rows.drop(columns="date")
    place, days = pd.factorize(rows["date"])
    ordered = row_hashes(content)[np.argsort(place, kind="stable")]
    ends = np.cumsum(np.bincount(place, minlength=len(days)))
    by_day = np.split(ordered, ends[:-1])
    return {day: fingerprint(held, content.columns) for day, held in zip(days, by_day, strict=True)}


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
