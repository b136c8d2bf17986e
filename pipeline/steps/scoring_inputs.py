"""The inputs of a day's scores, read at one moment and named by a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import lineage, log_context
from pipeline.cases import CaseLimits
from pipeline.config import Columns, DetectorSpec
from pipeline.config.columns import GAP_CADENCES
from pipeline.data.fingerprint import fingerprint, row_hashes
from pipeline.data.meaning import Misfit
from pipeline.data.timeline import machines
from pipeline.errors import BundleError
from pipeline.incidents.judging import fitted_columns
from pipeline.registry import promotion
from pipeline.settings import Deployment
from pipeline.shifts import lookback
from pipeline.steps import live, meaning
from pipeline.steps.case_limits import case_limits
from pipeline.steps.live import LoadedVersion
from pipeline.store.decisions import ChannelDecision, decisions_as_of
from pipeline.store.fits import lost_days, misfits_text, unfit_of
from pipeline.store.ingestions import OnRecord, on_record
from pipeline.store.telemetry import scan_telemetry, telemetry_version
from pipeline.tables.frames import frame_of
from pipeline.utc_day import ONE_DAY, midnight

_METHOD = "1"
"""Raise it when a release scores the same rows differently: all days are then due again."""
_LOST = (
    "the newest commits of its log were lost. Ingest that day again with the load DAG, or restore "
    "the table: docs/runbook.md, 'A damaged table'."
)


@dataclass(frozen=True)
class ScoringBundles:
    """The bundles that score: the champion, and the challenger in shadow.

    Attributes:
        champion: the live bundle.
        challenger: the bundle that waits; None without one, or where it cannot be read.
        remark: why it cannot be read; empty otherwise. The champion scores all the same.
    """

    champion: LoadedVersion
    challenger: LoadedVersion | None
    remark: str

    @property
    def versions(self) -> tuple[int, int | None]:
        """Their numbers."""
        return self.champion.version.number, self.shadow

    @property
    def shadow(self) -> int | None:
        """The challenger's number."""
        return self.challenger.version.number if self.challenger else None

    @property
    def loaded(self) -> tuple[LoadedVersion, ...]:
        """The champion, and the challenger if there is one."""
        return (self.champion, *([self.challenger] if self.challenger else []))


@dataclass(frozen=True)
class DayInputs:
    """One day's inputs.

    Attributes:
        day: the UTC day.
        frame: rows of the look-back span and then its own, in order of time and entity.
        own: how many rows at the end of `frame` are the day's own.
        misfit: why the champion cannot score its rows; empty when it can, and without rows.
        rows: hash of all these rows.
        judgement: hash of the bundles, decisions and settings that score them.
    """

    day: date
    frame: pd.DataFrame
    own: int
    misfit: str
    rows: str
    judgement: str

    @property
    def name(self) -> str:
        """The name of these inputs in the table `scorings`."""
        return f"{self.rows}-{self.judgement}"


@dataclass(frozen=True)
class ScoringInputs:
    """The inputs of several days.

    Attributes:
        bundles: the bundles that score.
        decisions: people's decisions about channels, oldest first.
        telemetry: version of the table; None while it does not exist.
        limits: what decides about cases.
        days: by day, in order.
    """

    bundles: ScoringBundles
    decisions: tuple[ChannelDecision, ...]
    telemetry: int | None
    limits: CaseLimits
    days: dict[date, DayInputs]


def scoring_bundles_of(here: Deployment, detector: str) -> ScoringBundles | None:
    """The bundles that score now; None while nothing is live."""
    champion = live.champion_or_none(here, detector)
    if champion is None:
        return None
    try:
        challenger, remark = live.challenger(here, detector), ""
    except BundleError as error:
        challenger, remark = None, f"no shadow: {error}"
    except Exception as error:  # noqa: BLE001 - whatever its alias leads to, it decides nothing
        challenger, remark = None, f"no shadow: {type(error).__name__}: {error}"
    if challenger is not None and challenger.version.number == champion.version.number:
        challenger = None  # somebody set the alias by hand: the champion needs no shadow
    log_context.bind_version(champion.version.number)
    bundles = ScoringBundles(champion, challenger, remark)
    lineage.note_model(detector, champion.version.number, alias=promotion.CHAMPION)
    if bundles.shadow is not None:
        lineage.note_model(detector, bundles.shadow, alias=promotion.CHALLENGER)
    return bundles


def scoring_inputs_of(
    here: Deployment, spec: DetectorSpec, days: Sequence[date], bundles: ScoringBundles
) -> ScoringInputs:
    """The inputs of `days`, as the tables are now.

    Rows that do not mean what the champion needs are left out, both from their own day, whose
    `misfit` says why, and from the day after it.

    Raises:
        DataError: the champion needs rows of another meaning than the detector file says by now.
    """
    meaning.refuse_unfit(bundles.champion, spec)
    wanted = sorted(days)
    # Before the table is read, so that all days on record are in it.
    record = on_record(here, spec.name, wanted[0] - ONE_DAY, wanted[-1])
    version = telemetry_version(here, spec.name)
    decisions = decisions_as_of(here, spec.name, datetime.now(UTC))
    telemetry = _telemetry(here, spec, wanted, bundles, version, record)
    span = lookback_of(spec, bundles)
    found = {}
    for day in wanted:
        start = midnight(day)
        known = [each for each in decisions if each.since < start + ONE_DAY]
        frame, own, rows = _cut(telemetry, start, span)
        misfit = telemetry.misfits.get(day, "")
        judgement = _judgement(spec, bundles, known)
        found[day] = DayInputs(day, frame, own, misfit, rows, judgement)
    limits = case_limits(spec, bundles.champion.bundle)
    return ScoringInputs(bundles, decisions, version, limits, found)


def lookback_of(spec: DetectorSpec, bundles: ScoringBundles) -> timedelta:
    """The look-back span before a row that its score depends on; at most a day.

    A window and a smoothed score use earlier rows, and each of these looks back for shifts.
    """
    spans = [
        lookback(spec.shifts, bundle.schema)
        + GAP_CADENCES * (bundle.reach - 1) * spec.columns.cadence
        for bundle in (each.bundle for each in bundles.loaded)
    ]
    return min(max(spans), ONE_DAY)


def columns_of(loaded: LoadedVersion) -> Columns:
    """The columns that a bundle was fitted with, even if the detector file has changed since.

    Raises:
        DataError: it was fitted without a detector file.
    """
    return fitted_columns(loaded.bundle)


@dataclass(frozen=True)
class _Telemetry:
    """Rows in order of time and entity, their times, their hashes and the hashed columns.

    Rows of days that do not fit are left out; `misfits` says why.
    """

    frame: pd.DataFrame
    time: pd.DatetimeIndex
    hashes: NDArray[np.uint64]
    names: tuple[str, ...]
    misfits: dict[date, str]


def _telemetry(
    here: Deployment,
    spec: DetectorSpec,
    days: Sequence[date],
    bundles: ScoringBundles,
    version: int | None,
    record: OnRecord,
) -> _Telemetry:
    """The rows of `days` and of the day before that mean what the champion needs."""
    key = spec.columns.row_key
    # Evaluation columns never decide a score.
    features = {name for each in bundles.loaded for name in each.bundle.schema.features}
    rows = pa.table({})
    if version is not None:
        wanted = {*key, *features, "date"}
        first = days[0] - ONE_DAY
        rows = scan_telemetry(here, spec.name, first, days[-1], columns=wanted, version=version)
    unfit = unfit_of(record, meaning.needs_of(bundles.champion), record.meanings.keys())
    misfits = {day: meaning.days_message(bundles.champion, {day: unfit[day]}) for day in unfit}
    present = set(rows["date"].unique().to_pylist()) if rows.num_rows else set[date]()
    for day, lost in lost_days(record, present, days).items():
        misfits[day] = f"{misfits_text({day: lost})}: {_LOST}"
    if rows.num_rows:
        misfits |= _without_a_key(rows, key, bundles.champion, set(unfit))
        rows = _on_other_days(rows, misfits.keys()).drop_columns("date")
    frame = frame_of(rows)
    if frame.empty:
        none = np.empty(0, np.uint64)
        return _Telemetry(frame, pd.DatetimeIndex([], tz="UTC"), none, (), misfits)
    if not _in_order(frame, spec.columns):
        frame = frame.sort_values(key, kind="stable", ignore_index=True)
    time_of = pd.DatetimeIndex(frame[spec.columns.timestamp])
    names = tuple(map(str, frame.columns))
    hashes = row_hashes(frame, names=[spec.columns.entity or ""])
    return _Telemetry(frame, time_of, hashes, names, misfits)


def _without_a_key(
    rows: pa.Table, key: Sequence[str], champion: LoadedVersion, known: Collection[date]
) -> dict[date, str]:
    """Days that an earlier release ingested under other names of time and machine, and why."""
    found: dict[date, str] = {}
    for name in key:
        lacking = rows["date"]
        if name in rows.column_names:
            if not rows[name].null_count:
                continue
            lacking = rows.filter(pc.field(name).is_null())["date"]
        days = set(lacking.unique().to_pylist()) - set(known) - found.keys()
        lack = Misfit(f"column {name}", "none", f"have no {name}")
        found |= {day: meaning.days_message(champion, {day: (lack,)}) for day in days}
    return found


def _on_other_days(rows: pa.Table, days: Collection[date]) -> pa.Table:
    if not days:
        return rows
    return rows.filter(~pc.field("date").isin(pa.array(sorted(days), pa.date32())))


def _in_order(frame: pd.DataFrame, columns: Columns) -> bool:
    """Whether the rows are sorted already: sorting them takes as long as reading them."""
    step = np.diff(pd.DatetimeIndex(frame[columns.timestamp]).asi8)
    entity = np.diff(machines(frame, columns.entity)[0])
    return bool(((step > 0) | ((step == 0) & (entity >= 0))).all())


def _cut(telemetry: _Telemetry, start: datetime, span: timedelta) -> tuple[pd.DataFrame, int, str]:
    """The rows that one day's scores depend on, the number of its own, and a hash of them all."""
    begin, end = telemetry.time.searchsorted([start, start + ONE_DAY])
    if begin == end:
        return telemetry.frame.iloc[:0], 0, ""
    # A row of exactly `span` before the day is out of reach of all the day's rows.
    first = telemetry.time.searchsorted(pd.Timestamp(start - span), side="right")
    name = fingerprint(telemetry.hashes[first:end], telemetry.names)[:32]
    return telemetry.frame.iloc[first:end], int(end - begin), name


def _judgement(
    spec: DetectorSpec, bundles: ScoringBundles, decisions: Sequence[ChannelDecision]
) -> str:
    content = {
        "method": _METHOD,
        "bundles": [[each.version.number, each.bundle.digest] for each in bundles.loaded],
        "shifts": spec.shifts.model_dump(mode="json"),
        "join": spec.incidents.model_dump(mode="json")["join"],
        "decisions": [[d.channel, d.entity, d.decision, d.since.isoformat()] for d in decisions],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
