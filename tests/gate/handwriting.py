"""Made handwriting: ten characters on a tablet, as 8 points each (after pendigits, Alimoglu 1996).

A character is a smooth stroke; every writer bends, turns and slants it a little. Each of the ten
is therefore a curved surface of few dimensions in the 16 that are measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

POINTS = 8
FEATURES = tuple(f"{axis}{point}" for point in range(POINTS) for axis in "xy")
_WAVES = np.arange(1, 5)


@dataclass(frozen=True)
class Pages:
    """Nine characters to learn from and to be judged on, and the tenth, which nobody has seen."""

    train: pd.DataFrame
    held: pd.DataFrame
    foreign: pd.DataFrame


def pages() -> Pages:
    """3,000 rows that train, 1,000 held out, 160 of the tenth character."""
    random = np.random.default_rng(0)
    characters = random.standard_normal((10, 2, len(_WAVES), 2)) / _WAVES[:, None]
    known = np.concatenate([_written(450, one, random) for one in characters[1:]])
    known = random.permutation(known)
    foreign = _written(160, characters[0], random)
    return Pages(_frame(known[:3000]), _frame(known[3000:4000]), _frame(foreign))


def _written(
    rows: int, character: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """`rows` writers' attempts, shape (rows, 16); 0 to 100, as the tablet scales them."""
    phase = np.pi * _WAVES[:, None] * np.linspace(0, 1, POINTS)
    waves = np.stack([np.sin(phase), np.cos(phase)], axis=-1)
    bent = character * (1 + 0.15 * random.standard_normal((rows, *character.shape)))
    x, y = np.einsum("nckb,ktb->cnt", bent, waves)
    turn, slant = 0.15 * random.standard_normal((rows, 1)), 0.2 * random.standard_normal((rows, 1))
    turned = np.stack(
        [x * np.cos(turn) - y * np.sin(turn) + slant * y, x * np.sin(turn) + y * np.cos(turn)],
        axis=-1,
    )
    turned -= turned.min(axis=1, keepdims=True)
    scaled = 100 * turned / turned.max(axis=(1, 2), keepdims=True)
    return (scaled + random.standard_normal(scaled.shape)).reshape(rows, -1)


def _frame(rows: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(rows.astype(np.float32), columns=list(FEATURES))
