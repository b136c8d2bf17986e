"""The result of every scorer, be it a network in training or the ONNX graph of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
"""Model inputs, shape (n_windows, window_length * n_features), in feature-column order."""


@dataclass(frozen=True)
class WindowScores:
    """Scores of n windows; higher is more anomalous.

    Attributes:
        score: shape (n,), float32, finite.
        error: shape (n, n_features), float32: contribution of each feature to the score.
    """

    score: NDArray[np.float32]
    error: NDArray[np.float32]


Scorer = Callable[[Rows], WindowScores]
