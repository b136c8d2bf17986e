"""The windows of a train block, split into those to train on and those to validate on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config.model import Model
from pipeline.data.split import Block, rows_for
from pipeline.data.timeline import subset
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.inputs import named, refuse_empty, refuse_unseen
from pipeline.detector.inputs.scaling import Ranges, Scaler, fit_scaler, ranges_of
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.inputs.windows import windows
from pipeline.detector.scores.losses import refuse_unfit
from pipeline.detector.training.holdout import hold_out
from pipeline.errors import ConfigError, DataError

_VALIDATION_EVERY = 10
_FEWEST_HELD = 20  # fewer would not show the usual error of a feature
_FEWEST_WINDOWS = 10


@dataclass(frozen=True)
class TrainingWindows:
    """Windows of a train block, with the scaler and the ranges of all its rows.

    Attributes:
        train: windows that move the weights, shape (n, L d).
        validation: windows that only decide when to stop, shape (m, L d).
        time_ns: end of each train window, nanoseconds since 1970; None without time.
        scaler: fitted on all rows.
        ranges: of all rows.
    """

    train: Rows
    validation: Rows
    time_ns: NDArray[np.int64] | None
    scaler: Scaler
    ranges: Ranges

    @property
    def age_s(self) -> NDArray[np.float64] | None:
        """Age of each train window, relative to the newest, in seconds."""
        return None if self.time_ns is None else (self.time_ns.max() - self.time_ns) / 1e9


def training_windows_of(block: Block, schema: Schema, model: Model) -> TrainingWindows:
    """Windows to train on, windows to validate on, scaler and ranges of all their rows.

    Raises:
        SplitReuseError: the block is not for training.
        DataError: a feature is missing or not finite, the loss cannot measure it, none ever
            changes, or there are too few windows.
        ConfigError: values may be missing, and the family does not support that.
    """
    frame = rows_for(block, "train")
    values, timeline = feature_values(frame, schema), timeline_of(frame, schema)
    _refuse_missing_values(values, schema, model)
    _refuse_constants(values, schema)
    refuse_unfit(model.loss, values, schema.features)
    least = min(_FEWEST_HELD, len(values) // 4)
    held = hold_out(
        len(values), timeline, every=_VALIDATION_EVERY, seed=model.seed, least=max(1, least)
    )
    timelines = [None if timeline is None else subset(timeline, mask) for mask in (~held, held)]
    train = windows(values[~held], schema.window, timelines[0])
    validation = windows(values[held], schema.window, timelines[1])
    if len(train.rows) < _FEWEST_WINDOWS or not len(validation.rows):
        msg = (
            f"The train block gives {len(train.rows):,} windows of {schema.window} row(s) to train "
            f"on and {len(validation.rows):,} to validate on, from {len(values):,} rows; at least "
            f"{_FEWEST_WINDOWS} and 1 are needed. Provide more normal rows (a longer "
            "split.training_days), or shorten window.length."
        )
        raise DataError(msg)
    return TrainingWindows(
        train=train.rows,
        validation=validation.rows,
        time_ns=None if timelines[0] is None else timelines[0].time_ns[train.end],
        scaler=fit_scaler(values, schema.judged),
        ranges=ranges_of(values),
    )


def _refuse_constants(values: Rows, schema: Schema) -> None:
    """Refuse rows in which every judged feature is constant: a fit cannot learn from those."""
    judged = np.flatnonzero(schema.judged)
    lowest, highest = (reduce(values[:, judged], axis=0) for reduce in (np.nanmin, np.nanmax))
    if not (lowest == highest).all():
        return
    held = [f"{schema.features[at]} ({low:g})" for at, low in zip(judged, lowest, strict=True)]
    msg = (
        f"Every feature that is judged is constant in all {len(values):,} training rows: "
        f"{named(held)}. Nothing can be learned from constants: give rows of a longer time, or "
        "other columns."
    )
    raise DataError(msg)


def _refuse_missing_values(values: Rows, schema: Schema, model: Model) -> None:
    """Refuse missing values that the schema or the family does not take."""
    if not schema.takes_missing:
        return
    if not model.takes_missing:
        msg = (
            f"validation.missing_cells is {schema.missing_cells:g} and model.family "
            f"{model.family!r} takes no missing values; set model.family to masked, or "
            "validation.missing_cells to 0."
        )
        raise ConfigError(msg)
    refuse_unseen(values, schema.features)
    refuse_empty(values, schema.judged)
