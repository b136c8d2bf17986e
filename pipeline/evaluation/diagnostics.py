"""Diagnostics of a network that need no labels and no threshold.

A reconstruction loss is not one: it falls while an over-powered network learns to copy its input
and stops detecting (facts on quality: loss must never be the promotion criterion).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.inputs.scored import Rows

Reconstruct = Callable[[Rows], Rows]
"""Input rows to reconstructed rows: same shape, same units."""

NOISE = 0.5
"""Standard deviations of the noise that a healthy network should remove."""


@dataclass(frozen=True)
class Diagnosis:
    """Health of a network on held-out normal rows.

    Attributes:
        noise_passthrough: share of added noise in the output; 1: copies, 0: removes all.
        explained_variance: share of the rows' variance that the reconstruction explains.
        median_error: median over rows of the mean squared error, in variances of these rows, so
            that two networks with different scalers can be compared on the same rows.

    All are None where the score uses no reconstruction: see NO_RECONSTRUCTION.
    """

    noise_passthrough: float | None
    explained_variance: float | None
    median_error: float | None


NO_RECONSTRUCTION = Diagnosis(None, None, None)
"""For a score that uses no reconstruction: an isolation forest, or a memory without residual. The
reconstruction of a forest is a placeholder: by it the forest would pass as a network that removes
all noise and fail as one that learned nothing, and it is neither. (The family nearest_neighbours
does reconstruct a row, from its nearest stored ones, and is diagnosed by that.)"""


def diagnose(reconstruct: Reconstruct, rows: Rows, *, seed: int) -> Diagnosis:
    """Diagnose a network with normal rows of shape (n, d) that it was not trained on.

    Columns that are constant in `rows` are left out, and so are missing values (NaN): their correct
    reconstruction is unknown.
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
    """Projection of the change of the output on the noise e: <r(h + e) - r(h), e> / |e|^2."""
    energy = float((noise**2).sum())
    return float((moved * noise).sum()) / energy if energy else 0.0
