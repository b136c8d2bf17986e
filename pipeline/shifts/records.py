"""The state of the channels of n rows: left out of the score, moved, in a new regime."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Shifted:
    """n rows and c channels, both in the order they were given in.

    Attributes:
        channels: their names.
        columns: feature positions of each of them.
        muted: shape (n, c); left out of the row's score.
        moved: shape (n, c); out of range, and so for hours: reported by name. Never in a new
            regime, and never what a person has accepted or muted.
        regime: shape (n,); so many channels have moved at once that only retraining helps.
    """

    channels: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]
    muted: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    regime: NDArray[np.bool_]


def rows_of(shifted: Shifted, kept: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Shifted:
    """The same for some of the rows."""
    return replace(
        shifted,
        muted=shifted.muted[kept],
        moved=shifted.moved[kept],
        regime=shifted.regime[kept],
    )


def left_out(shifted: Shifted, features: int) -> NDArray[np.bool_]:
    """Which of the model's features no row's score may use, shape (n, features).

    With a channel all that is derived from it is left out: deviation from peers, sine and cosine.
    """
    mask = np.zeros((len(shifted.muted), features), dtype=bool)
    for channel in np.flatnonzero(shifted.muted.any(axis=0)):
        mask[:, list(shifted.columns[channel])] = shifted.muted[:, [channel]]
    return mask
