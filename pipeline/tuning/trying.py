"""One trial of settings: fit, calibration and evaluation on training rows alone, without labels.

The training rows are split once more, by stretches of time: rows to fit on, rows to calibrate on
and rows that faults are injected into. The result is the share of faults caught. It finds settings
that are blind; it says little about which of two healthy settings catches more real faults:
pseudo-anomalies ranked models with a Spearman correlation of 0.1 to 0.5 only (measured on 43 data
sets).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import Columns, Contexts, Smoothing, Threshold
from pipeline.config.model import Model
from pipeline.config.score import Score
from pipeline.data.split import Block, rows_for
from pipeline.data.timeline import Mask, Timeline
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.windows import windows
from pipeline.detector.training.fit import fit
from pipeline.detector.training.holdout import hold_out
from pipeline.errors import DataError
from pipeline.evaluation.diagnostics import diagnose
from pipeline.evaluation.injection import Trial, inject, recall

_EVERY = 5  # one stretch in five is for evaluation, and of the others one in five for calibration
_FEWEST = 100
_MOST_DIAGNOSED = 5000  # rows that noise is added to


@dataclass(frozen=True)
class FixedSettings:
    """The settings of a detector that stay fixed in all trials.

    Attributes:
        schema: of the rows.
        columns: the columns, which define the channel of each feature.
        alpha: share of normal rows that may exceed the threshold.
        smoothing: of the scores.
        contexts: of the scores.
    """

    schema: Schema
    columns: Columns
    alpha: float
    smoothing: Smoothing
    contexts: Contexts


@dataclass(frozen=True)
class TuningData:
    """Training rows, split for the trials.

    Attributes:
        fixed: the fixed settings of the detector.
        train: rows to fit on, as a train block.
        calibration: rows to calibrate on, as a calibration block.
        test: rows that faults are injected into.
    """

    fixed: FixedSettings
    train: Block
    calibration: Block
    test: pd.DataFrame


@dataclass(frozen=True)
class Tried:
    """The result of a trial.

    Attributes:
        caught: share of injected faults caught: mean over kinds of the mean over sizes.
        noise_passthrough: as the gate measures it; None without a reconstruction.
        seconds: duration.
    """

    caught: float
    noise_passthrough: float | None
    seconds: float


def split_for_tuning(block: Block, fixed: FixedSettings, *, seed: int) -> TuningData:
    """Split the rows of a train block for the trials.

    Raises:
        SplitReuseError: the block is not for training.
        DataError: too few rows.
    """
    frame = rows_for(block, "train").reset_index(drop=True)
    test = _held(frame, fixed.schema, seed)
    rest = frame[~test].reset_index(drop=True)
    calibration = _held(rest, fixed.schema, seed)
    fewest = min(int(test.sum()), int(calibration.sum()))
    if fewest < _FEWEST:
        msg = (
            f"{len(frame):,} training rows leave {fewest:,} to calibrate or to evaluate on; at "
            f"least {_FEWEST} each are needed to compare settings. Give more rows."
        )
        raise DataError(msg)
    return TuningData(
        fixed=fixed,
        train=Block("train", rest[~calibration].reset_index(drop=True)),
        calibration=Block("calibration", rest[calibration].reset_index(drop=True)),
        test=frame[test].reset_index(drop=True),
    )


def attempt(data: TuningData, model: Model, score: Score, *, seed: int) -> Tried:
    """Fit with `model`'s own seed, calibrate by conformal, inject faults by `seed`."""
    began = time.monotonic()
    fixed = data.fixed
    schema = fixed.schema
    fitted = fit(data.train, schema, model, score, threads=1)
    graph = Graph(fitted.graph)
    calibrated = calibrate(
        data.calibration,
        schema,
        graph.score,
        Threshold(alpha=fixed.alpha, small_sample="hill"),
        smoothing=fixed.smoothing,
        contexts=fixed.contexts,
    )
    values, timeline = feature_values(data.test, schema), _timeline(data)
    outcomes = inject(
        Trial(
            scorer=graph.score,
            threshold=calibrated.threshold.value,
            rows=values,
            timeline=timeline,
            columns=fixed.columns,
            window=schema.window,
            seed=seed,
            postprocessing=calibrated.postprocessing,
        )
    )
    passed = None
    if fitted.facts.by_reconstruction:
        cut = windows(values, schema.window, timeline).rows
        every = -(-len(cut) // _MOST_DIAGNOSED)
        passed = diagnose(graph.reconstruct, cut[::every], seed=seed).noise_passthrough
    by_kind = [float(np.mean(list(sizes.values()))) for sizes in recall(outcomes).values()]
    if not by_kind:
        msg = "No fault could be injected: no unbroken run of rows is long enough. Give more rows."
        raise DataError(msg)
    return Tried(float(np.mean(by_kind)), passed, time.monotonic() - began)


def _held(frame: pd.DataFrame, schema: Schema, seed: int) -> Mask:
    timeline = timeline_of(frame, schema)
    return hold_out(len(frame), timeline, every=_EVERY, seed=seed, least=_FEWEST)


def _timeline(data: TuningData) -> Timeline:
    """Timeline of the test rows; rows without time keep the order of the file."""
    timeline = timeline_of(data.test, data.fixed.schema)
    if timeline is not None:
        return timeline
    count = len(data.test)
    return Timeline(np.arange(count, dtype=np.int64), np.zeros(count, dtype=np.intp), ("",), 1)
