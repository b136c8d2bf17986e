"""The parts of incidents within one day.

Parts are made of one day's rows only and joined over midnight when they are read, so that a day's
parts never depend on which day was scored first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.config.columns import GAP_CADENCES
from pipeline.data.timeline import Indices, Mask, Timeline, subset
from pipeline.detector.attribution import Blame, worst
from pipeline.incidents.judging import FlaggedRows

Kind = Literal["anomaly", "shifted feature", "new regime", "data fault"]
Status = Literal["raised", "withdrawn"]

ANOMALY: Kind = "anomaly"
SHIFTED: Kind = "shifted feature"
REGIME: Kind = "new regime"
FAULT: Kind = "data fault"

OF_ONE_CHANNEL: tuple[Kind, ...] = (SHIFTED, FAULT)
"""Kinds of incidents that are about a channel each."""

_DAYS_IN_RANGE = pd.Timedelta(days=2)
_BLAMED = 10  # kept of a part, so that the parts of one incident can be weighed together


@dataclass(frozen=True)
class IncidentPart:
    """One entity's episode within one UTC day.

    Attributes:
        kind: flagged rows, rows in which one channel has moved or has failed, or rows in a new
            regime.
        status: withdrawn when the version that raised it was rolled back.
        entity: which machine; empty where there is one.
        start: its first row, UTC.
        end: its last row.
        rows: rows that are flagged, moved, without the channel or in the regime.
        peak: highest score of these rows, in units of the row's threshold; 0 if none has a score.
        peak_at: the first row with that score.
        version: of the bundle that raised it.
        features: channels to blame, worst first, by their share of the score over their usual
            share.
    """

    kind: Kind
    status: Status
    entity: str
    start: pd.Timestamp
    end: pd.Timestamp
    rows: int
    peak: float
    peak_at: pd.Timestamp
    version: int
    features: tuple[Blame, ...]


def reach(join: timedelta, columns: Columns) -> pd.Timedelta:
    """Rows of one entity at most this far apart belong to one episode.

    Rows without a gap between them do, however small `join` is.
    """
    return max(pd.Timedelta(join), GAP_CADENCES * pd.Timedelta(columns.cadence))


def largest_gaps(spec: DetectorSpec) -> tuple[pd.Timedelta, pd.Timedelta]:
    """The largest gaps within one incident: between flags, and between rows with a shift.

    What is out by day and in by night, or leaves out a day, is one shift and told once.
    """
    flags = reach(spec.incidents.join, spec.columns)
    return flags, max(flags, _DAYS_IN_RANGE, pd.Timedelta(spec.shifts.lasting))


def day_parts(
    judged: FlaggedRows,
    timeline: Timeline,
    version: int,
    within: pd.Timedelta,
    shift_within: pd.Timedelta,
) -> list[IncidentPart]:
    """The parts of all kinds in one day's rows, by start, entity and kind.

    Args:
        judged: the rows, scored by the champion.
        timeline: their times and entities.
        version: of the champion.
        within: flags at most this far apart are one episode.
        shift_within: the same for rows in which a channel has moved or failed, or in a new regime.
    """
    shifts, excess = judged.shifts, np.nan_to_num(judged.score / judged.threshold, nan=0.0)
    found: list[tuple[Kind, Indices, tuple[Blame, ...]]] = [
        (ANOMALY, rows, worst(judged.found[rows], shifts.channels, most=_BLAMED))
        for rows in _episodes(judged.flagged, timeline, within)
    ]
    for channel, name in enumerate(shifts.channels):
        found += [
            (SHIFTED, rows, (Blame(name, float(judged.strength[rows, channel].mean())),))
            for rows in _episodes(shifts.moved[:, channel], timeline, shift_within)
        ]
        found += [
            (FAULT, rows, (Blame(name, 0.0),))
            for rows in _episodes(judged.failing[:, channel], timeline, shift_within)
        ]
    found += [
        (REGIME, rows, worst(judged.strength[rows], shifts.channels, most=_BLAMED))
        for rows in _episodes(shifts.regime, timeline, shift_within)
    ]
    parts = [
        _part(kind, rows, features, excess, timeline, version) for kind, rows, features in found
    ]
    return sorted(parts, key=lambda part: (part.start, part.entity, part.kind, _name(part)))


def _episodes(marked: Mask, timeline: Timeline, within: pd.Timedelta) -> Iterator[Indices]:
    """Row indices of each episode, in order of time."""
    rows = np.flatnonzero(marked)
    if not len(rows):
        return
    held = subset(timeline, rows)
    order = np.lexsort((held.time_ns, held.entity))
    apart = np.diff(held.time_ns[order]) > within.value
    breaks = np.flatnonzero(apart | (np.diff(held.entity[order]) != 0)) + 1
    yield from np.split(rows[order], breaks)


def _part(
    kind: Kind,
    rows: Indices,
    features: tuple[Blame, ...],
    excess: NDArray[np.float64],
    timeline: Timeline,
    version: int,
) -> IncidentPart:
    highest = int(excess[rows].argmax())
    start, end, peak_at = (
        pd.Timestamp(timeline.time_ns[rows[at]], tz="UTC") for at in (0, -1, highest)
    )
    return IncidentPart(
        kind=kind,
        status="raised",
        entity=timeline.names[timeline.entity[rows[0]]],
        start=start,
        end=end,
        rows=len(rows),
        peak=float(excess[rows[highest]]),
        peak_at=peak_at,
        version=version,
        features=features,
    )


def _name(part: IncidentPart) -> str:
    return part.features[0].channel if part.features else ""
