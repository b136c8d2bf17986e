"""Machines whose rows follow each other: slow, linked courses, and windows cut from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.data.split import Block
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.inputs.windows import windows
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.training.fit import fit
from tests.detector.plant import CHANNELS, schema, timed

LENGTH = 6
SMALL = {"members": 2, "width": 32, "steps": 400, "batch_rows": 64}


def slow_rows(rows: int, *, seed: int = 0, times: float = 1.0) -> pd.DataFrame:
    """Five channels of two causes that swing over hours, a little noisy; `times` as smoothly."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(98).normal(size=(2, len(CHANNELS)))
    speed = 2 * np.pi / (times * np.array([24, 38]) * random.uniform(0.9, 1.1, (rows, 2)))
    causes = np.sin(np.cumsum(speed, axis=0) + random.uniform(0, 6, 2))
    values = causes @ mixing + 0.05 / times * random.normal(size=(rows, len(CHANNELS)))
    return pd.DataFrame(values, columns=list(CHANNELS))


def slow_windows(rows: int, *, seed: int, times: float = 1.0) -> Rows:
    frame, seen = timed(slow_rows(rows, seed=seed, times=times)), schema(window=LENGTH, timed=True)
    return windows(feature_values(frame, seen), LENGTH, timeline_of(frame, seen)).rows


def fit_slow(model, *, times: float = 1.0, **channels) -> FittedNetwork:
    seen = replace(schema(window=LENGTH, timed=True), **channels)
    return fit(Block("train", timed(slow_rows(1500, seed=1, times=times))), seen, model)


def wins(faulty, normal) -> float:
    """How often a faulty score is above a normal one."""
    return float((faulty[:, None] > normal[None, :]).mean())
