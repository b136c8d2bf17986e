"""Whether what the first days of a training window teach holds on its last ones.

Test days between the training days show whether a network knows the season that it has seen. A
young detector serves another one: what winter teaches of a river says little of the thaw. So a
version is trained and calibrated on the days before the last ones of the same window, with the same
roles, and these count as the future (rolling-origin evaluation: Tashman, International Journal of
Forecasting, 2000).
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import structlog

from pipeline.config import DetectorSpec
from pipeline.data.forward_test import ForwardTest
from pipeline.data.split import Block, Blocks
from pipeline.data.timeline import subset
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.training.calibrated_bundle import calibrated_bundle
from pipeline.detector.training.refit import FitSettings, fit_held_back
from pipeline.errors import CalibrationError, DataError
from pipeline.evaluation.rate import realised_rate
from pipeline.evaluation.tryout import judge

_LAST = 1 / 6
"""Share of the days that count as the future: two weeks of three months."""

log = structlog.get_logger()


def forward_test(blocks: Blocks, spec: DetectorSpec, *, threads: int = 1) -> ForwardTest | None:
    """The rate of a version from the first days of `blocks` on the normal rows of the last ones.

    None where the days are too few to train, calibrate or judge one.
    """
    time = spec.columns.timestamp
    days = np.unique(pd.concat([block.frame[time] for block in _each(blocks)]).dt.date)
    border = days[len(days) - max(1, round(_LAST * len(days)))]
    early = Blocks(*(_part(block, block.frame[time].dt.date < border) for block in _each(blocks)))
    late = pd.concat(
        [block.frame[block.frame[time].dt.date >= border] for block in _each(blocks)],
        ignore_index=True,
    ).sort_values(spec.columns.row_key, kind="stable", ignore_index=True)
    if early.train.frame.empty or early.calibration.frame.empty or late.empty:
        return None
    try:
        with tempfile.TemporaryDirectory() as scratch:
            return _rate_of(_made(early, spec, Path(scratch), threads), late, spec)
    except (CalibrationError, DataError) as error:
        log.warning("no_forward_test", detector=spec.name, reason=str(error))
        return None


def _each(blocks: Blocks) -> tuple[Block, Block, Block]:
    return blocks.train, blocks.calibration, blocks.test


def _part(block: Block, kept: pd.Series) -> Block:
    return replace(block, frame=block.frame[kept].reset_index(drop=True))


def _made(early: Blocks, spec: DetectorSpec, folder: Path, threads: int) -> Bundle:
    """The version, trained and calibrated as the train DAG does."""
    settings = FitSettings(schema_for(spec), spec.model, spec.score, spec.threshold.alpha)
    fitted = fit_held_back(early.train, settings, threads=threads)
    return calibrated_bundle(fitted, early.calibration, spec, folder)


def _rate_of(bundle: Bundle, late: pd.DataFrame, spec: DetectorSpec) -> ForwardTest | None:
    rows = judge(bundle, late, spec.columns)
    rate = realised_rate(rows.score, rows.normal, rows.timeline, bundle.description.threshold)
    if rate is None:
        return None
    moments = subset(rows.timeline, rows.normal).time_ns
    first, last = (pd.Timestamp(at, tz="UTC").date() for at in (moments.min(), moments.max()))
    return ForwardTest(first, last, rate.rows, rate.rate, rate.interval)
