"""One try of settings: fitted, calibrated and judged on training rows alone, without labels.

The training rows are shared out once more, by stretches of time: rows to fit on, rows to draw a
line on and rows that faults are planted in. What comes out is the share of faults caught. It finds
settings that are blind; of two that are healthy it says little about real faults: pseudo-anomalies
ranked models with a Spearman correlation of 0.1 to 0.5 only (measured on 43 data sets).
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
from pipeline.detector.calibration import calibrate
from pipeline.detector.frames import feature_values, timeline_of
from pipeline.detector.graph import Graph
from pipeline.detector.holdout import hold_out
from pipeline.detector.schema import Schema
from pipeline.detector.training import fit
from pipeline.detector.windows import windows
from pipeline.errors import DataError
from pipeline.evaluation.diagnostics import diagnose
from pipeline.evaluation.injection import Trial, inject, recall

_EVERY = 5  # one stretch in five is judged on, and of the others one in five draws the line
_FEWEST = 100
_MOST_JUDGED = 5000  # rows that noise is added to


@dataclass(frozen=True)
class FixedSettings:
    """What of a detector stays as it is while settings are tried.

    Attributes:
        schema: of the rows.
        columns: which features belong together.
        alpha: share of normal rows that may cross the line.
        smoothing: of the scores.
        contexts: of the scores.
    """

    schema: Schema
    columns: Columns
    alpha: float
    smoothing: Smoothing
    contexts: Contexts


@dataclass(frozen=True)
class Ground:
    """Training rows, shared out for tries.

    Attributes:
        asked: of the detector.
        fitted: rows to fit on, as a train block.
        line: rows to draw a line on, as a calibration block of the tries.
        judged: rows that faults are planted in.
    """

    asked: FixedSettings
    fitted: Block
    line: Block
    judged: pd.DataFrame


@dataclass(frozen=True)
class Tried:
    """What settings did.

    Attributes:
        caught: share of planted faults caught: mean over kinds of the mean over sizes.
        noise_passthrough: as the gate measures it; None without a reconstruction.
        seconds: what the try took.
    """

    caught: float
    noise_passthrough: float | None
    seconds: float


def share_out(block: Block, asked: FixedSettings, *, seed: int) -> Ground:
    """The rows of a train block, for tries.

    Raises:
        SplitReuseError: the block is not for training.
        DataError: too few rows.
    """
    frame = rows_for(block, "train").reset_index(drop=True)
    judged = _held(frame, asked.schema, seed)
    rest = frame[~judged].reset_index(drop=True)
    drawn = _held(rest, asked.schema, seed)
    fewest = min(int(judged.sum()), int(drawn.sum()))
    if fewest < _FEWEST:
        msg = (
            f"{len(frame):,} training rows leave {fewest:,} to draw a line or to judge on; at "
            f"least {_FEWEST} each are needed to compare settings. Give more rows."
        )
        raise DataError(msg)
    return Ground(
        asked=asked,
        fitted=Block("train", rest[~drawn].reset_index(drop=True)),
        line=Block("calibration", rest[drawn].reset_index(drop=True)),
        judged=frame[judged].reset_index(drop=True),
    )


def attempt(ground: Ground, model: Model, score: Score, *, seed: int) -> Tried:
    """Fit with `model`'s own seed, draw the conformal line, plant faults by `seed`."""
    began = time.monotonic()
    asked = ground.asked
    schema = asked.schema
    fitted = fit(ground.fitted, schema, model, score, threads=1)
    graph = Graph(fitted.graph)
    drawn = calibrate(
        ground.line,
        schema,
        graph.score,
        Threshold(alpha=asked.alpha, small_sample="hill"),
        smoothing=asked.smoothing,
        contexts=asked.contexts,
    )
    values, times = feature_values(ground.judged, schema), _times(ground)
    outcomes = inject(
        Trial(
            scorer=graph.score,
            threshold=drawn.threshold.value,
            rows=values,
            timeline=times,
            columns=asked.columns,
            window=schema.window,
            seed=seed,
            finish=drawn.finish,
        )
    )
    passed = None
    if fitted.facts.by_reconstruction:
        cut = windows(values, schema.window, times).rows
        every = -(-len(cut) // _MOST_JUDGED)
        passed = diagnose(graph.reconstruct, cut[::every], seed=seed).noise_passthrough
    by_kind = [float(np.mean(list(sizes.values()))) for sizes in recall(outcomes).values()]
    if not by_kind:
        msg = "No fault could be planted: no unbroken stretch of rows is long enough. Give more."
        raise DataError(msg)
    return Tried(float(np.mean(by_kind)), passed, time.monotonic() - began)


def _held(frame: pd.DataFrame, schema: Schema, seed: int) -> Mask:
    timeline = timeline_of(frame, schema)
    return hold_out(len(frame), timeline, every=_EVERY, seed=seed, least=_FEWEST)


def _times(ground: Ground) -> Timeline:
    """When the judged rows were measured; rows without time follow each other as in the file."""
    timeline = timeline_of(ground.judged, ground.asked.schema)
    if timeline is not None:
        return timeline
    count = len(ground.judged)
    return Timeline(np.arange(count, dtype=np.int64), np.zeros(count, dtype=np.intp), ("",), 1)
