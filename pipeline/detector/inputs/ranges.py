"""The range of each feature in training, by which a moved sensor is recognised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.detector.inputs.scored import Rows

_EDGES = (0.001, 0.999)  # one extreme training row does not widen a range


@dataclass(frozen=True)
class Ranges:
    """The range of each feature in training, in the units of the data.

    Attributes:
        lowest: the 0.1 % quantile of each feature.
        highest: the 99.9 % quantile.
    """

    lowest: tuple[float, ...]
    highest: tuple[float, ...]


def ranges_of(rows: Rows) -> Ranges:
    """The ranges of normal rows of shape (n, d); missing values (NaN) are ignored."""
    exact = rows.astype(np.float64)
    quantile = np.nanquantile if np.isnan(exact).any() else np.quantile
    lowest, highest = quantile(exact, _EDGES, axis=0)
    return Ranges(tuple(lowest.tolist()), tuple(highest.tolist()))
