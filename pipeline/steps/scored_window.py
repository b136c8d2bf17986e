"""The scored rows of a span of days under one network, and their labels.

A score depends on the weights alone, so rows that any version with the same weights has scored are
used as they are, each with the threshold of that time. Days that other weights scored, or that
nobody has scored yet, are scored here; the tables do not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec
from pipeline.data.audit import probabilities
from pipeline.data.fingerprint import fingerprint, row_hashes
from pipeline.data.label import Label, verdicts
from pipeline.data.timeline import Timeline, timeline_from
from pipeline.incidents.parts import REGIME, SHIFTED
from pipeline.recalibration import WindowRows
from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate, staged_table
from pipeline.steps.day_scores import score_day
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit, refuse_unfit_days
from pipeline.steps.scoring_inputs import ScoringBundles, scoring_inputs_of
from pipeline.store.audits import audits_between
from pipeline.store.decisions import decisions_as_of
from pipeline.store.incidents import incidents_between
from pipeline.store.labels import labels_as_of
from pipeline.store.scores import champion_scores
from pipeline.store.telemetry import count_telemetry, telemetry_version
from pipeline.tables.frames import as_frame

ROWS = "rows/rows.parquet"  # the path of a recalibrated candidate's rows
_COLUMNS = ("timestamp", "entity", "version", "score", "threshold", "muted", "partial")


@dataclass(frozen=True)
class ScoredWindow:
    """Scored rows by time and entity, with all inputs of a recalibration.

    Attributes:
        frame: columns `timestamp`, `entity`, `version`, `score`, `threshold`, `verdict`,
            `excluded`, `audit`; see `WindowRows`.
        telemetry_version: of the table, as it was read.
        rescored: days that were scored here, because other weights scored them or nobody did.
        labels: the known labels that touch the days, oldest first.
        digest: hash of the frame.
    """

    frame: pd.DataFrame
    telemetry_version: int | None
    rescored: tuple[date, ...]
    labels: tuple[Label, ...]
    digest: str


def read_window(
    here: Deployment,
    spec: DetectorSpec,
    live: LoadedVersion,
    days: Sequence[date],
    *,
    as_of: datetime,
    same_weights: frozenset[int],
) -> ScoredWindow:
    """The rows of `days`, all of which end before `as_of`; no label made after it counts.

    Raises:
        DataError: `live` needs rows of another meaning than the detector file says by now, or than
            those of some days have.
    """
    refuse_unfit(live, spec)
    refuse_unfit_days(here, live, spec, days)
    version = telemetry_version(here, spec.name)
    stored = _stored(here, spec, days, same_weights)
    missing = _not_covered(here, stored, version, days, spec)
    stored = stored[~stored["date"].isin(missing)]
    parts = [stored, *_rescored(here, spec, live, missing, as_of)]
    rows = pd.concat([part[[*_COLUMNS]] for part in parts if len(part)], ignore_index=True)
    # The first rows of an unbroken run end no window and have no score.
    rows = rows[rows["score"].notna()].sort_values(["timestamp", "entity"], ignore_index=True)
    timeline = timeline_of_rows(rows, spec)
    labels = labels_as_of(here, spec.name, as_of, first=days[0], last=days[-1])
    audits = audits_between(here, spec.name, days[0], days[-1])
    rows["verdict"] = verdicts(timeline, labels)
    rows["audit"] = probabilities(timeline, audits)
    fewer = rows["muted"].fillna("").ne("") | rows["partial"].eq(other=True)
    rows["excluded"] = fewer | _in_a_shift(here, spec, rows, days)
    rows = rows.drop(columns=["muted", "partial"])
    names = [str(name) for name in rows.columns if name != "version"]
    digest = fingerprint(row_hashes(rows[names]), names)
    return ScoredWindow(rows, version, tuple(missing), labels, digest[:16])


def timeline_of_rows(rows: pd.DataFrame, spec: DetectorSpec) -> Timeline:
    """The timeline of the rows of a window."""
    columns = spec.columns
    named = {
        "timestamp": columns.timestamp,
        **({"entity": columns.entity} if columns.entity else {}),
    }
    return timeline_from(rows.rename(columns=named), columns)


def staged_rows(candidate: Candidate) -> pd.DataFrame:
    """The frame of a `ScoredWindow`, as the task `window` staged it for a candidate."""
    return staged_table(candidate, ROWS)


def window_rows(rows: pd.DataFrame, spec: DetectorSpec) -> WindowRows:
    """The rows as the input of a recalibration."""
    return WindowRows(
        timeline=timeline_of_rows(rows, spec),
        score=rows["score"].to_numpy(np.float64),
        threshold=rows["threshold"].to_numpy(np.float64),
        verdict=rows["verdict"].to_numpy(np.int8),
        excluded=rows["excluded"].to_numpy(bool),
        audit=rows["audit"].to_numpy(np.float64),
    )


def _stored(
    here: Deployment, spec: DetectorSpec, days: Sequence[date], same_weights: frozenset[int]
) -> pd.DataFrame:
    """The rows that the champion scored on `days` with these weights."""
    columns = [*_COLUMNS, "date"]
    rows = champion_scores(here, spec.name, columns, first=days[0], last=days[-1])
    return rows[rows["date"].isin(list(days)) & rows["version"].isin(same_weights)]


def _not_covered(
    here: Deployment,
    stored: pd.DataFrame,
    version: int | None,
    days: Sequence[date],
    spec: DetectorSpec,
) -> list[date]:
    """The days with rows that have no stored score."""
    measured = count_telemetry(here, spec, days[0], days[-1], version=version)
    scored = stored["date"].value_counts()
    return [day for day in days if scored.get(day, 0) != measured.get(day, 0)]


def _rescored(
    here: Deployment, spec: DetectorSpec, live: LoadedVersion, days: Sequence[date], as_of: datetime
) -> list[pd.DataFrame]:
    if not days:
        return []
    known = decisions_as_of(here, spec.name, as_of)
    inputs = replace(
        scoring_inputs_of(here, spec, days, ScoringBundles(live, None, "")), decisions=known
    )
    return [as_frame(score_day(spec, inputs, day).scores) for day in inputs.days.values()]


def _in_a_shift(
    here: Deployment, spec: DetectorSpec, rows: pd.DataFrame, days: Sequence[date]
) -> NDArray[np.bool_]:
    """Rows during a shift or a new regime that was raised.

    Of a data fault only the rows that lack the channel count, and they are partial.
    """
    inside = np.zeros(len(rows), dtype=bool)
    # Nothing of a later day is read, so that an incident that goes on ends with the window.
    for found in incidents_between(here, spec, days[0], days[-1]):
        if found.kind in (SHIFTED, REGIME) and found.status == "raised":
            during = rows["timestamp"].between(found.start, found.end)
            inside |= (during & rows["entity"].eq(found.entity)).to_numpy()
    return inside
