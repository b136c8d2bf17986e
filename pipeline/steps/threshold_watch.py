"""Whether the live threshold holds after a day, from the rows scored up to it.

It follows from the scored rows, and from what is on record of causes: so the order in which days
are scored does not matter, and a day that is scored again gets the same answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.timeline import Mask, Timeline, machines
from pipeline.detector.attribution import blame_from_text
from pipeline.evaluation.flag_share import (
    AGAIN_NS,
    REACH_NS,
    ShareOutside,
    lasting,
    risen_since,
    shares_outside,
    worth,
)
from pipeline.monitoring.broken_threshold import BrokenThreshold, KnownCauses
from pipeline.settings import Deployment
from pipeline.steps.cases_on_record import open_on
from pipeline.store.drift import drift_state
from pipeline.store.scores import champion_scores, scored_days
from pipeline.store.thresholds import RecordedThreshold, recorded_threshold
from pipeline.utc_day import DAY_NS, ONE_DAY, end_of

_MISSED = timedelta(days=3)  # days on which nobody may have been told that it holds again
_AT_FIRST = timedelta(days=(REACH_NS + AGAIN_NS) // DAY_NS) + _MISSED
_FURTHER = 4  # times as far back, until the beginning is among the rows
_FURTHEST = timedelta(days=120)
_MOST_ROWS = 4_000_000  # read at once; bounds memory to some hundred megabytes
_NAMED = 3
_FLAGS_READ = 5_000  # of the newest flagged rows, for the channels that carry them


@dataclass(frozen=True)
class _Scored:
    """Rows that the version of the newest row has scored.

    Attributes:
        version: that version.
        threshold: what is on record of its threshold.
        flagged: shape (n,).
        timeline: of these n rows.
        others: whether another version has scored rows of these days.
        complete: whether the version has scored no row before them.
    """

    version: int
    threshold: RecordedThreshold
    flagged: Mask
    timeline: Timeline
    others: bool
    complete: bool


@dataclass(frozen=True)
class ThresholdState:
    """Whether the threshold holds after a day.

    Attributes:
        broken: that it does not; None: it does, or nobody can know.
        may_be_back: it holds, and some days before it did not, or another version was live.
    """

    broken: BrokenThreshold | None
    may_be_back: bool


def broken_threshold(
    here: Deployment, spec: DetectorSpec, day: date, *, now: datetime
) -> BrokenThreshold | None:
    """That the threshold does not hold at the end of `day`, see `threshold_after`."""
    return threshold_after(here, spec, day, now=now).broken


def threshold_after(
    here: Deployment, spec: DetectorSpec, day: date, *, now: datetime
) -> ThresholdState:
    """Whether the threshold holds at the end of `day`.

    `now` is until when people's answers count.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
        OutageError: the store does not answer.
    """
    end, back = _ns(end_of(day)), _AT_FIRST
    while True:
        rows = _scored_rows(here, spec, day, back)
        if rows is None:
            return ThresholdState(None, may_be_back=False)
        # Before a span is complete its share says little, except where there is no more to come.
        looked = _ns(end_of(day) - back) + (0 if rows.complete else REACH_NS)
        outside = tuple(
            shares_outside(rows.flagged, rows.timeline, rows.threshold, first_ns=looked, end_ns=end)
        )
        held = lasting(outside, end)
        if not held:
            return ThresholdState(None, may_be_back=bool(outside) or rows.others)
        begun = rows.complete or held[0].at_ns - AGAIN_NS > looked
        further = min(_FURTHER * back, _FURTHEST)
        if begun or further == back or len(rows.timeline) * (further / back) > _MOST_ROWS:
            broken = _told(here, spec, day, rows, held, now, begun=begun)
            return ThresholdState(broken, may_be_back=False)
        back = further


def _scored_rows(
    here: Deployment, spec: DetectorSpec, day: date, back: timedelta
) -> _Scored | None:
    """The rows of the days up to `day`; None without one, or without a record of the threshold."""
    first = day - back + ONE_DAY
    names = ["timestamp", "entity", "version", "score", "flag"]
    found = champion_scores(here, spec.name, names, first=first, last=day)
    found = found[found["score"].notna() & found["version"].notna()]
    if found.empty:
        return None
    version = int(found["version"].to_numpy()[int(found["timestamp"].to_numpy().argmax())])
    threshold = recorded_threshold(here, spec.name, version)
    if threshold is None:
        return None
    mine = found[found["version"].eq(version)]
    entity, named = machines(mine, "entity")
    time = pd.DatetimeIndex(mine["timestamp"]).as_unit("ns").asi8
    cadence = int(pd.Timedelta(spec.columns.cadence).value)
    before = any(held < first for held in scored_days(here, spec.name))
    return _Scored(
        version,
        threshold,
        mine["flag"].fillna(value=False).to_numpy(dtype=bool),
        Timeline(time, entity, named, cadence),
        others=len(mine) < len(found),
        # Where another version has scored rows among these, ours came later.
        complete=not before or len(mine) < len(found),
    )


def _told(
    here: Deployment,
    spec: DetectorSpec,
    day: date,
    rows: _Scored,
    held: tuple[ShareOutside, ...],
    now: datetime,
    *,
    begun: bool,
) -> BrokenThreshold:
    newest, promise = held[-1], rows.threshold
    since = _moment(risen_since(rows.flagged, rows.timeline, promise, at_ns=held[0].at_ns))
    return BrokenThreshold(
        version=rows.version,
        since=since,
        earlier=not begun,
        until=_moment(newest.at_ns),
        hours=newest.span_ns * 24 // DAY_NS,
        share=newest.share,
        rows=newest.rows,
        rows_effective=worth(promise) * newest.rows,
        promised=promise.alpha,
        most=newest.most,
        channels=_channels(here, spec.name, max(since.date(), day - ONE_DAY), day),
        causes=_causes(here, spec, day, rows, now),
    )


def _channels(
    here: Deployment, detector: str, first: date, last: date
) -> tuple[tuple[str, float], ...]:
    """The channels that most flagged rows blame first, each with its share of them."""
    rows = champion_scores(here, detector, ["flag", "features"], first=first, last=last)
    texts = rows.loc[rows["flag"].fillna(value=False).astype(bool), "features"].dropna()
    blamed = [blame_from_text(text) for text in texts.tail(_FLAGS_READ)]
    first_of = Counter(each[0].channel for each in blamed if each)
    total = first_of.total()
    return tuple((name, count / total) for name, count in first_of.most_common(_NAMED))


def _causes(
    here: Deployment, spec: DetectorSpec, day: date, rows: _Scored, now: datetime
) -> KnownCauses:
    state, threshold = drift_state(here, spec, day), rows.threshold
    ruling = state.ruling if state is not None and state.version == rows.version else None
    window = threshold.window
    served = [each for each in scored_days(here, spec.name) if each <= day]
    served = [each for each in served if window is not None and each > window[1]]
    return KnownCauses(
        drift=ruling.kind if ruling else "",
        drift_reason=ruling.reason if ruling else "",
        drift_action=ruling.action if ruling else "",
        cases=open_on(here, spec.name, day, now=now),
        served=len(served),
        fresh=0 < len(served) <= spec.promotion.watch_days,
        rows=threshold.n_effective,
        rows_needed=spec.gate.minimum_calibration_rows,
        known=window,
    )


def _ns(moment: datetime) -> int:
    return int(pd.Timestamp(moment).value)


def _moment(time_ns: int) -> datetime:
    moment: datetime = pd.Timestamp(np.int64(time_ns), tz=UTC).to_pydatetime()
    return moment
