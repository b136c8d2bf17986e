"""Rows of a made-up plant with missing values, and a detector that takes them."""

from functools import cache

import numpy as np
import pandas as pd

from pipeline.config import Threshold
from pipeline.config.model import MaskedModel
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.training.fit import fit

CHANNELS = tuple(f"c{number:02}" for number in range(12))
MASKED = MaskedModel(members=2, width=32, steps=400, batch_rows=128)
QUICK = MaskedModel(members=1, width=24, steps=100, batch_rows=64)
SHARE = 0.1


def schema(*, missing=0.5, window=1, context=()) -> Schema:
    return Schema(
        features=CHANNELS,
        context=context,
        units=("1",) * len(CHANNELS),
        window=window,
        timestamp="timestamp" if window > 1 else None,
        entity=None,
        cadence_s=600.0 if window > 1 else None,
        source_columns=None,
        missing_cells=missing,
    )


def whole(rows, *, seed) -> pd.DataFrame:
    """Twelve channels of three hidden causes, in units and at levels of their own."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(3, len(CHANNELS)))
    values = random.normal(size=(rows, 3)) @ mixing
    values += 0.2 * random.normal(size=values.shape)
    level = 10.0 ** np.arange(len(CHANNELS)) / 1e4
    frame = pd.DataFrame(values * level + 5 * level, columns=list(CHANNELS))
    time = pd.date_range("2024-01-01", periods=rows, freq="10min", tz="UTC")
    return frame.assign(timestamp=time)


def with_missing(frame, *, seed, share=SHARE) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    missing = np.zeros(frame.shape, dtype=bool)
    missing[:, : len(CHANNELS)] = random.random((len(frame), len(CHANNELS))) < share
    return frame.mask(missing)


def values(frame) -> np.ndarray:
    return frame[list(CHANNELS)].to_numpy(dtype=np.float32)


@cache
def fitted():
    return fit(Block("train", with_missing(whole(2000, seed=1), seed=1)), schema(), MASKED)


@cache
def graph():
    return Graph(fitted().graph)


@cache
def calibrated():
    block = Block("calibration", with_missing(whole(3000, seed=2), seed=2))
    return calibrate(block, schema(), graph().score, Threshold())


def threshold() -> float:
    return calibrated().threshold.value


def faulty(rows, *, seed, channel="c03") -> pd.DataFrame:
    """Rows in which one channel belongs to another row."""
    frame = whole(rows, seed=seed)
    return frame.assign(**{channel: frame[channel].to_numpy()[::-1]})
