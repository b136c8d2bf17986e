"""Which features are to blame for a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Blame:
    """A feature of one row and how many times its usual error it shows."""

    feature: str
    times_usual: float


def blame(
    error: NDArray[np.floating], usual: Sequence[float], features: Sequence[str], *, most: int = 3
) -> list[tuple[Blame, ...]]:
    """For each row of `error`, shape (n, d), its `most` conspicuous features, worst first.

    A large error says little of a feature that always has one: each is measured by its own usual
    error on normal rows (`CalibrationSummary.feature_error`).
    """
    normal = np.asarray(usual, dtype=np.float64)
    # A feature without any usual error would be infinitely conspicuous.
    normal = np.maximum(normal, max(_LEAST_SHARE * float(normal.mean()), np.finfo(np.float64).tiny))
    times = error.astype(np.float64) / normal
    worst = np.argsort(-times, axis=1, kind="stable")[:, :most]
    return [
        tuple(Blame(features[j], float(row[j])) for j in order)
        for row, order in zip(times, worst, strict=True)
    ]
