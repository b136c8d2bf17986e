"""Data faults that show in the relations between channels: a repair of one channel undoes them.

A sign that was flipped, a scale that was changed, a clock that lags and two columns that were
swapped leave each channel where it was: no range and no distribution tells. The network tells, as
it expects each channel from the others. So where the errors of channels have grown, the repairs of
a few simple faults are tried on them and the rows are scored again. A repair that takes back most
of the rise on nearly all days names the fault; what no repair undoes (wear, a leak, a new way of
operation) is for a person to look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.channels import Channel, channels, read, write
from pipeline.data.timeline import Indices
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.bundle.filling import filling_of
from pipeline.drift.comparison import Sample, select_rows
from pipeline.evaluation.rate import log_score
from pipeline.scoring import score_values
from pipeline.utc_day import DAY_NS

Vector = NDArray[np.float64]

_GROWN = 2.0  # times its error in the accepted state: from there on repairs are tried
_MOST_TRIED = 4  # channels, those with the largest growth
_OTHER_SCALE = 1.25  # a slope nearer to 1 is what noise makes of it
_MOST_LAG = 144  # rows
_LIKER = 0.02  # correlation that a lag must add
_TAKEN_BACK = 0.6  # of the rise of the mean log score
_LEAST_GAIN = 0.1  # of the mean log score: a tenth of the score
_ON_DAYS = 0.8  # of the days
_FEWEST_ROWS = 100

FEWEST_DAYS = 3
"""Of fewer days nothing is said: one of them may be an incident."""


@dataclass(frozen=True)
class Repair:
    """A repair of one channel that takes back most of what the score has risen by.

    Attributes:
        channel: the raw measurement.
        entity: the machine; empty: all of them, or there is one without a name.
        fault: what the repair undoes, as a sentence without its subject.
        taken_back: share of the rise of the mean log score.
        gain: what the mean log score falls by.
    """

    channel: str
    entity: str
    fault: str
    taken_back: float
    gain: float

    @property
    def sentence(self) -> str:
        """`flow of b has the other sign: undone, 93% of the rise of the score is gone`."""
        where = f"{self.channel} of {self.entity}" if self.entity else self.channel
        return f"{where} {self.fault}: undone, {self.taken_back:.0%} of the score's rise is gone"


@dataclass(frozen=True)
class _Attempt:
    """All rows with one channel repaired.

    Attributes:
        channel, fault: as in Repair.
        features: shape (n, d).
    """

    channel: str
    fault: str
    features: NDArray[np.float32]


def repair_of(
    bundle: Bundle, columns: Columns, sample: Sample, accepted: Sample, grown: Sequence[float]
) -> Repair | None:
    """The repair that takes back most of the rise of the score; None: no repair does.

    All machines are tried together, then each by itself. Only where rows are scored one by one by a
    network that reconstructs: no other says what it expects of a channel.

    Args:
        bundle: the live bundle.
        columns: those that it was fitted with.
        sample: rows of several days; those with a muted or missing feature are not used.
        accepted: rows of the last accepted state.
        grown: mean error of each channel in `sample`, times that in the accepted state.
    """
    if max(grown) < _GROWN:
        return None
    if bundle.reach > 1 or not bundle.description.network.reconstructs:
        return None
    whole = np.isfinite(sample.features).all(axis=1)
    if sample.muted is not None:
        whole &= ~sample.muted.any(axis=1)
    level = float(log_score(accepted.score[np.isfinite(accepted.score)]).mean())
    names = [name for name in sample.timeline.names if len(sample.timeline.names) > 1]
    for entity in ("", *names):
        rows = np.flatnonzero(whole & _is_of(sample, entity))
        found = _best(bundle, columns, _in_order(sample, rows), grown, level)
        if found is not None:
            return replace(found, entity=entity)
    return None


def _is_of(sample: Sample, entity: str) -> NDArray[np.bool_]:
    if not entity:
        return np.ones(len(sample.score), dtype=bool)
    return np.asarray(sample.timeline.entity == sample.timeline.names.index(entity))


def _in_order(sample: Sample, rows: Indices) -> Sample:
    """The rows by machine and time."""
    line = sample.timeline
    rows = rows[np.lexsort((line.time_ns[rows], line.entity[rows]))]
    return select_rows(sample, rows)


def _best(
    bundle: Bundle, columns: Columns, sample: Sample, grown: Sequence[float], level: float
) -> Repair | None:
    days = np.unique(sample.timeline.time_ns // DAY_NS, return_inverse=True)[1]
    if len(sample.score) < _FEWEST_ROWS or days.max() < FEWEST_DAYS - 1:
        return None
    before = _log_scores(bundle, sample.features)
    rise = float(before.mean()) - level
    best: Repair | None = None
    for attempt in _attempts(bundle, columns, sample, grown):
        gain = before - _log_scores(bundle, attempt.features)
        mean = float(gain.mean())
        better = np.bincount(days, weights=gain) > 0
        if mean < max(_LEAST_GAIN, _TAKEN_BACK * rise) or better.mean() < _ON_DAYS:
            continue
        taken_back = min(1.0, mean / max(rise, mean))
        if best is None or mean > best.gain:
            best = Repair(attempt.channel, "", attempt.fault, taken_back, mean)
    return best


def _log_scores(bundle: Bundle, features: NDArray[np.float32]) -> Vector:
    return log_score(score_values(bundle, features, None).score).astype(np.float64)


def _attempts(
    bundle: Bundle, columns: Columns, sample: Sample, grown: Sequence[float]
) -> Iterator[_Attempt]:
    """The repairs to try, the channel with the largest growth first."""
    known = channels(columns)
    for at in np.argsort(-np.asarray(grown), kind="stable")[:_MOST_TRIED]:
        channel = known[at]
        if channel.angle or not grown[at] >= _GROWN:
            continue
        values, expected = read(channel, sample.features), _expected(bundle, channel, sample)
        yield from _linear(channel, sample, values, expected)
        yield from _lagging(channel, sample, values, expected, columns)
        for other in known:
            if other is not channel and not other.angle:
                features = _with(channel, sample, read(other, sample.features))
                write(other, features, values)
                yield _Attempt(channel.name, f"is swapped with {other.name}", features)


def _expected(bundle: Bundle, channel: Channel, sample: Sample) -> Vector:
    """What the network expects of a channel in view of the others."""
    hidden = np.zeros(sample.features.shape, dtype=bool)
    hidden[:, list(channel.columns)] = True
    return read(channel, filling_of(bundle).expected(sample.features, hidden))


def _linear(
    channel: Channel, sample: Sample, values: Vector, expected: Vector
) -> Iterator[_Attempt]:
    variance = float(expected.var())
    if not variance > 0:
        return
    slope = float(np.cov(values, expected, ddof=0)[0, 1]) / variance
    if slope < 0:
        yield _Attempt(channel.name, "has the other sign", _with(channel, sample, -values))
    elif slope > _OTHER_SCALE or 0 < slope < 1 / _OTHER_SCALE:
        fault = f"has another scale, {slope:.2g} times the one before"
        yield _Attempt(channel.name, fault, _with(channel, sample, values / slope))


def _lagging(
    channel: Channel, sample: Sample, values: Vector, expected: Vector, columns: Columns
) -> Iterator[_Attempt]:
    """The lag, early or late, at which the channel is most like what is expected of it."""
    alike = {
        lag: _alike(np.roll(values, -lag), expected) for lag in range(-_MOST_LAG, _MOST_LAG + 1)
    }
    lag = max(alike, key=lambda each: alike[each])
    if lag and alike[lag] - alike[0] > _LIKER:
        hours = abs(lag) * columns.cadence.total_seconds() / 3600
        fault = f"is {hours:.2g} hours {'behind' if lag > 0 else 'ahead of'} the others"
        yield _Attempt(channel.name, fault, _with(channel, sample, np.roll(values, -lag)))


def _alike(one: Vector, other: Vector) -> float:
    spread = float(one.std() * other.std())
    return float(np.mean((one - one.mean()) * (other - other.mean()))) / spread if spread else 0.0


def _with(channel: Channel, sample: Sample, values: Vector) -> NDArray[np.float32]:
    features = sample.features.copy()
    write(channel, features, values)
    return features
