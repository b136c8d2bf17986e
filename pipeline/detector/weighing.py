"""Where errors of single features become one score. The only such place.

The recipe is part of the exported graph and of `detector.json`: a bundle scores as it was fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weighting = Literal["equal", "spread"]

_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Weighing:
    """score = sum over features of weight * e, with e the (capped) squared error in variances.

    Attributes:
        weight: of each feature, 0 for context; sums to 1.
        usual: the error that each feature is measured in; 1 leaves it in variances.
        cap: soft limit of e: c log(1 + e / c) grows like e below c and slowly above, so that one
            wild sensor cannot speak for the whole row. None: no limit.
    """

    weight: tuple[float, ...]
    usual: tuple[float, ...]
    cap: float | None


def weigh(
    error: NDArray[np.floating], judged: Sequence[bool], weighting: Weighting, cap: float | None
) -> Weighing:
    """The recipe for a network with squared errors of shape (n, d) on held-out training rows.

    `equal` adds up plain errors: the loss of the training. `spread` measures each feature in its
    own usual error, so that a feature the network reconstructs well can alarm by itself; usual
    errors below 5 % of the mean are raised to it, because a tiny one would only amplify noise.
    """
    weight = np.array(judged, dtype=np.float64)
    usual = np.ones(len(weight))
    if weighting == "spread":
        usual = error.astype(np.float64).mean(axis=0)
        usual = np.maximum(usual, _LEAST_SHARE * usual.mean())
        usual = np.where(usual > 0, usual, 1.0)
    weight /= weight.sum()
    return Weighing(weight=tuple(weight.tolist()), usual=tuple(usual.tolist()), cap=cap)
