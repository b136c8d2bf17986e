"""A made-up plant: channels that move together, and a detector small enough to fit in a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import DenoisingModel, Threshold
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import Bundle, load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.calibration.calibrated import Calibration
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.training.fit import fit

CHANNELS = ("load", "speed", "flow", "pressure", "temperature")
SMALL = DenoisingModel(members=2, width=16, steps=120, batch_rows=64)
TEN_MINUTES = 600.0


def schema(*, window: int = 1, timed: bool = False, entity: bool = False) -> Schema:
    return Schema(
        context=(),
        features=CHANNELS,
        units=("1",) * len(CHANNELS),
        window=window,
        timestamp="timestamp" if timed else None,
        entity="machine" if entity else None,
        cadence_s=TEN_MINUTES if timed else None,
        source_columns=None,
    )


def normal_rows(rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Five channels driven by two hidden causes, each in another unit."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(2, len(CHANNELS)))
    causes = random.normal(size=(rows, 2))
    values = np.tanh(causes @ mixing) + 0.1 * random.normal(size=(rows, len(CHANNELS)))
    units = np.array([1.0, 1000.0, 0.01, 50.0, 5.0])
    offsets = np.array([0.0, 5000.0, 0.0, 1013.0, 20.0])
    return pd.DataFrame(values * units + offsets, columns=list(CHANNELS))


def faulty_rows(rows: int, *, seed: int = 5) -> pd.DataFrame:
    """Each value is possible, but not together: every channel is shuffled by itself."""
    frame = normal_rows(rows, seed=seed)
    random = np.random.default_rng(seed)
    return pd.DataFrame({name: random.permutation(frame[name]) for name in frame})


def timed(frame: pd.DataFrame, *, start: str = "2024-01-01", machine: str = "") -> pd.DataFrame:
    time = pd.date_range(start, periods=len(frame), freq="10min", tz="UTC")
    named = frame.assign(timestamp=time)
    return named.assign(machine=machine) if machine else named


@cache
def fitted_plant() -> FittedNetwork:
    return fit(Block("train", normal_rows(1500, seed=1)), schema(), SMALL)


@cache
def calibrated_plant() -> Calibration:
    scorer = Graph(fitted_plant().graph).score
    return calibrate(Block("calibration", normal_rows(400, seed=2)), schema(), scorer, Threshold())


def write_plant(folder: Path) -> str:
    provenance = Provenance(data={"rows": 1500}, code_version="abc", lock_hash="def")
    return write_bundle(
        fitted_plant(), calibrated_plant(), folder, name="plant", provenance=provenance
    )


def plant_bundle(folder: Path) -> Bundle:
    write_plant(folder)
    return load_bundle(folder)
