"""The channels that are to blame for a score.

A channel is one raw measurement with all features derived from it (`pipeline.data.channels`): the
engineer on call repairs a sensor, not the cosine of an angle.

The channel with the largest error is often not the broken one, because a network that reads a
wrong value reconstructs its neighbours wrongly. So the network itself is asked: by how much does
the score fall when this channel alone is removed from the row and imputed from the others?
(Imputed, never zeroed, so that the row stays a possible one: Frye et al., ICLR 2021.)

Channels differ in how much they add to the score of normal rows, so each fall is measured in units
of what its channel usually adds: a change in a quiet channel outweighs the noise of a noisy one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.bundle.filling import filling_of
from pipeline.detector.inputs.scored import Rows

_LEAST_SHARE = 0.05

Contributions = NDArray[np.float64]

_DIGITS = 4


class Blame(NamedTuple):
    """A channel and its contribution to the score, in usual contributions: 1 is normal."""

    channel: str
    times_usual: float


def contributions(
    bundle: Bundle,
    rows: Rows,
    families: Sequence[Sequence[int]],
    muted: NDArray[np.bool_] | None = None,
) -> Contributions:
    """Contribution of each channel to the score of each row, in usual ones: shape (n, channels).

    The channel is set to its normal mean, replaced by the network's reconstruction of that row, and
    the row is scored again: the fall of the score is the channel's contribution, at least 0. A
    missing value stays missing: a channel that was not measured adds nothing.

    A muted channel is filled in as it is for the score, and adds nothing either. Its own error is
    0, but the errors of the others depend on what is shown in its place: the score falls where
    that is replaced by what suits them better, and this is no reason to look at the channel. One
    of which only the deviation is left out, because too few peers have the value, may be blamed.

    Args:
        bundle: the bundle that scores.
        rows: model inputs of shape (n, window * d), as they were measured.
        families: the feature positions of each channel.
        muted: features that do not count, shape (n, d); None: all count.
    """
    features, window = len(bundle.schema.features), bundle.schema.window
    normal = np.tile(np.asarray(bundle.description.network.scaler.mean, dtype=np.float32), window)
    shown = rows if muted is None else filling_of(bundle).expected(rows, np.tile(muted, window))
    score, usual = _counted(bundle, shown, muted), usual_contributions(bundle, families)
    found = np.zeros((len(rows), len(families)))
    for at, family in enumerate(families):
        held = [row * features + column for row in range(window) for column in family]
        repaired = shown.copy()
        repaired[:, held] = normal[held]
        repaired[:, held] = bundle.graph.reconstruct(repaired)[:, held]
        repaired[np.isnan(shown)] = np.nan
        found[:, at] = (score - _counted(bundle, repaired, muted)) / usual[at]
        if muted is not None:
            found[muted[:, list(family)].all(axis=1), at] = 0
    return np.maximum(found, 0.0)


def _counted(bundle: Bundle, rows: Rows, muted: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    error = bundle.score(rows).error.astype(np.float64)
    counted: NDArray[np.float64] = (error if muted is None else np.where(muted, 0, error)).sum(
        axis=1
    )
    return counted


def usual_contributions(bundle: Bundle, families: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Mean contribution of each channel to the scores that the threshold was estimated from.

    At least 5 % of the mean over channels: a channel that never contributed (a constant, a context)
    must not outweigh all others as soon as it does.
    """
    by_feature = np.asarray(bundle.description.calibration.feature_error, dtype=np.float64)
    usual = np.array([by_feature[list(family)].sum() for family in families])
    least = max(_LEAST_SHARE * float(usual.mean()), float(np.finfo(np.float32).tiny))
    raised: NDArray[np.float64] = np.maximum(usual, least)
    return raised


def worst_of_each(
    found: Contributions, names: Sequence[str], *, most: int = 3
) -> list[tuple[Blame, ...]]:
    """Like `worst`, for each row by itself."""
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


def blame_as_text(features: Sequence[Blame]) -> str:
    """`[[channel, times usual], ...]` with four digits, so that the text is reproducible."""
    return json.dumps([[name, float(f"{times:.{_DIGITS}g}")] for name, times in features])


def blame_from_text(text: Any) -> tuple[Blame, ...]:
    """The inverse of `blame_as_text`; empty for a null."""
    held = json.loads(text) if isinstance(text, str) else []
    return tuple(Blame(str(name), float(times)) for name, times in held)
