"""Is the network healthy? Questions that need no label and no threshold.

A reconstruction loss cannot answer: it falls while an over-powered network learns to copy its
input and stops detecting (facts on quality: loss must never be the promotion criterion).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.scored import Rows

Reconstruct = Callable[[Rows], Rows]
"""What the network makes of its input: same shape, same units."""

NOISE = 0.5
"""Standard deviations of the noise that a healthy network should remove."""


@dataclass(frozen=True)
class Diagnosis:
    """Health of a network on held-out normal rows.

    Attributes:
        noise_passthrough: share of added noise that comes out again; 1 copies, 0 removes all.
        explained_variance: share of the rows' variance that the reconstruction has.
        median_error: median over rows of the mean squared error, in variances of these rows, so
            that two networks with different scalers can be compared on the same rows.

    All are None where the score is not made of a reconstruction: see NO_RECONSTRUCTION.
    """

    noise_passthrough: float | None
    explained_variance: float | None
    median_error: float | None


NO_RECONSTRUCTION = Diagnosis(None, None, None)
"""Of a score that no reconstruction goes into: an isolation forest, or a memory without residual.
What a forest gives for a reconstruction is a stand-in: it would pass for a network that removes all
noise and fail for one that has learnt nothing, and it is neither. (The family nearest_neighbours
does rebuild a row, from its nearest stored ones, and is judged by that.)"""


def diagnose(reconstruct: Reconstruct, rows: Rows, *, seed: int) -> Diagnosis:
    """Judge a network by rows of shape (n, d) that it was not trained on, all normal.

    Columns that are constant in `rows` say nothing and are left out, and so are absent values
    (NaN): nobody knows what a network should have made of them.
    """
    absent = np.isnan(rows)
    known = np.where(absent.all(axis=0), 0.0, rows)
    spread = np.nanstd(known, axis=0, dtype=np.float64)
    varying = spread > 1e-6 * np.maximum(1.0, np.nanmean(np.abs(known), axis=0))  # float32
    scale = np.where(varying, spread, 1.0)
    noise = NOISE * scale * varying * np.random.default_rng(seed).standard_normal(rows.shape)
    clean = reconstruct(rows)
    moved = (reconstruct((rows + noise).astype(np.float32)) - clean) / scale
    error = np.where(absent, 0.0, ((rows - clean) / scale) ** 2)[:, varying]
    counted = (~absent)[:, varying].sum(axis=1)
    noise = np.where(absent, 0.0, noise / scale)
    some = counted > 0
    by_row = error.sum(axis=1)[some] / counted[some]
    return Diagnosis(
        noise_passthrough=_passthrough(moved[:, varying], noise[:, varying]),
        explained_variance=float(1 - error.sum() / counted.sum()) if some.any() else 0.0,
        median_error=float(np.median(by_row)) if some.any() else 0.0,
    )


def _passthrough(moved: NDArray[np.floating], noise: NDArray[np.floating]) -> float:
    """Projection of the output's move on the noise: 1 - <r(h + e) - r(h), e> / |e|^2."""
    energy = float((noise**2).sum())
    return float((moved * noise).sum()) / energy if energy else 0.0
