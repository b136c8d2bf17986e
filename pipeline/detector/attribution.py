"""Which channels are to blame for a score.

A channel is one raw measurement with all features made of it (`pipeline.data.channels`): who is
woken at night mends a sensor, not the cosine of an angle.

The channel with the largest error is often not the broken one, because a network that reads a
wrong value reconstructs its neighbours wrongly. So the question is put to the network itself: how
much of the score goes when this channel alone is taken out of the row and filled in from the
others? (What is left out is imputed, never zeroed, so that the row stays a possible one: Frye et
al., ICLR 2021.)

Channels differ in how much they add to the score of normal rows, so each fall is measured in what
its own channel usually adds: a quiet channel that speaks outweighs a noisy one that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.bundle import Bundle
from pipeline.detector.scored import Rows

_LEAST_SHARE = 0.05

Contributions = NDArray[np.float64]


class Blame(NamedTuple):
    """A channel and what it adds to the score, in what it usually adds: 1 is normal."""

    feature: str
    times_usual: float


def contributions(
    bundle: Bundle,
    rows: Rows,
    families: Sequence[Sequence[int]],
    muted: NDArray[np.bool_] | None = None,
) -> Contributions:
    """What each channel adds to the score of each row, in what it usually adds: (n, channels).

    The channel is set to its normal mean, read anew from what the network makes of the row, and
    the row is scored again: the fall of the score is the channel's. Not below 0. What is absent
    stays so: a channel that was not measured adds nothing.

    Args:
        bundle: whose score.
        rows: model inputs of shape (n, window * d).
        families: the feature positions of each channel.
        muted: features that do not count, shape (n, d); None: all count.
    """
    features, window = len(bundle.schema.features), bundle.schema.window
    normal = np.tile(np.asarray(bundle.description.network.scaler.mean, dtype=np.float32), window)
    score, usual = _counted(bundle, rows, muted), usual_contributions(bundle, families)
    found = np.zeros((len(rows), len(families)))
    for at, family in enumerate(families):
        held = [row * features + column for row in range(window) for column in family]
        repaired = rows.copy()
        repaired[:, held] = normal[held]
        repaired[:, held] = bundle.graph.reconstruct(repaired)[:, held]
        repaired[np.isnan(rows)] = np.nan
        found[:, at] = (score - _counted(bundle, repaired, muted)) / usual[at]
    return np.maximum(found, 0.0)


def _counted(bundle: Bundle, rows: Rows, muted: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    error = bundle.score(rows).error.astype(np.float64)
    counted: NDArray[np.float64] = (error if muted is None else np.where(muted, 0, error)).sum(
        axis=1
    )
    return counted


def usual_contributions(bundle: Bundle, families: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """What each channel adds to the score of a row that the threshold was drawn from, in the mean.

    At least 5 % of what the channels add in the mean: what never spoke (a constant, a context)
    must not drown the others by its first word.
    """
    by_feature = np.asarray(bundle.description.calibration.feature_error, dtype=np.float64)
    usual = np.array([by_feature[list(family)].sum() for family in families])
    least = max(_LEAST_SHARE * float(usual.mean()), float(np.finfo(np.float32).tiny))
    raised: NDArray[np.float64] = np.maximum(usual, least)
    return raised


def worst_of_each(
    found: Contributions, names: Sequence[str], *, most: int = 3
) -> list[tuple[Blame, ...]]:
    """As `worst`, for each row by itself."""
    order = np.argsort(-found, axis=1, kind="stable")[:, :most]
    times = np.take_along_axis(found, order, axis=1).tolist()
    return [
        tuple(Blame(names[at], value) for at, value in zip(places, values, strict=True))
        for places, values in zip(order.tolist(), times, strict=True)
    ]


def worst(found: Contributions, names: Sequence[str], *, most: int = 3) -> tuple[Blame, ...]:
    """The `most` conspicuous channels of one or more rows together, worst first."""
    typical = found.mean(axis=0)
    order = np.argsort(-typical, kind="stable")[:most]
    return tuple(Blame(names[at], float(typical[at])) for at in order)
