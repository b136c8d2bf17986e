"""What decides about the cases of a detector: its settings, and its live bundle."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from pipeline.cases import CaseLimits, ChannelRange
from pipeline.config import Columns, DetectorSpec
from pipeline.data.channels import channels
from pipeline.data.clusters import longest_normal
from pipeline.detector.bundle.bundle import Bundle
from pipeline.incidents.judging import fitted_columns
from pipeline.shifts import can_shift


def case_limits(spec: DetectorSpec, bundle: Bundle) -> CaseLimits:
    """The limits for rows that `bundle` scores."""
    join, alpha = spec.recalibration.join_rows, bundle.description.threshold.alpha
    longest = _longest(_NormalRows(bundle.digest, alpha, join, bundle))
    asked = round(spec.shifts.lasting / spec.columns.cadence)
    return CaseLimits(
        lasting=spec.shifts.lasting,
        # Where nobody can know how long normal rows stay above, the time that shifts need.
        longest=longest if longest is not None else max(asked, 1),
        join_rows=join,
        ranges=_ranges(fitted_columns(bundle), bundle, spec.shifts.padding),
    )


@dataclass(frozen=True)
class _NormalRows:
    """The normal rows of a bundle, and how their clusters are measured."""

    digest: str
    alpha: float
    join_rows: int
    bundle: Bundle = field(compare=False)


@lru_cache(maxsize=16)  # a process scores days of a few detectors, each with one version
def _longest(rows: _NormalRows) -> int | None:
    """As recalibration measures it, of normal rows; None: the bundle's rows have no time."""
    reference = rows.bundle.trained_reference()
    if reference.timeline is None:
        return None
    score = reference.score.astype(np.float64)
    return longest_normal(score, reference.timeline, alpha=rows.alpha, join_rows=rows.join_rows)


def _ranges(columns: Columns, bundle: Bundle, padding: float) -> tuple[ChannelRange, ...]:
    """The training ranges of the channels that can leave them, in the channels' own units."""
    held = bundle.ranges()
    found = []
    for channel in channels(columns):
        if can_shift(channel, columns):
            low, high = (ends[channel.columns[0]] for ends in (held.lowest, held.highest))
            margin = padding * (high - low)
            found.append(
                ChannelRange(channel.name, low + channel.offset, high + channel.offset, margin)
            )
    return tuple(found)
