"""The time of one row through a loaded bundle, as for an online caller."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.speed.contenders import frame, made_rows, schema
from pipeline.config import Threshold
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.models.fitted import FittedNetwork

_CALLS = 4000
_WARM = 200


def one_row_ms(network: FittedNetwork, *, timed: bool, threads: int) -> tuple[float, float]:
    """Median and 99th percentile of `Bundle.score` on an array of shape (1, 50), milliseconds."""
    block = Block("calibration", frame(made_rows(1000, seed=3)))
    calibrated = calibrate(block, schema(timed=timed), Graph(network.graph).score, Threshold())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        provenance = Provenance(data={}, code_version="", lock_hash="")
        write_bundle(network, calibrated, folder, name="speed", provenance=provenance)
        bundle = load_bundle(folder, threads=threads)
        rows = made_rows(_WARM + _CALLS, seed=4)
        took = np.empty(len(rows))
        for number in range(len(rows)):
            row = rows[number : number + 1]
            began = time.perf_counter()
            bundle.score(row)
            took[number] = time.perf_counter() - began
    median, late = np.quantile(took[_WARM:] * 1e3, [0.5, 0.99])
    return float(median), float(late)
