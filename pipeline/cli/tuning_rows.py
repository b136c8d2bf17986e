"""The rows that `tune` may use: the train block of every training of this detector."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.cli.blocks import blocks_of
from pipeline.config import Columns, Contexts, DetectorSpec, Smoothing, Threshold
from pipeline.data.split import Block, split
from pipeline.detector.inputs.schema import Schema
from pipeline.tuning.trying import FixedSettings, TuningData, split_for_tuning


def ground_of(path: Path, spec: DetectorSpec | None, *, most: int) -> TuningData:
    """The training rows of `path`, split for tries.

    The rows that `fit` would hold out for the threshold are left out, and with a detector file the
    days that its `split` assigns to calibration and test.

    Raises:
        DataError: the file cannot be used, or has too few rows.
    """
    blocks = blocks_of(path, None, spec, most=most)
    frame = blocks.train.frame
    seed = 0
    if spec is not None:
        whole = pd.concat([frame, blocks.calibration.frame])
        keys = spec.columns.row_key
        trained = pd.MultiIndex.from_frame(split(whole, spec).train.frame[keys])
        frame = frame[pd.MultiIndex.from_frame(frame[keys]).isin(trained)]
        seed = spec.model.seed
    return split_for_tuning(
        Block("train", frame.reset_index(drop=True)),
        _fixed_settings(blocks.schema, spec),
        seed=seed,
    )


def _fixed_settings(schema: Schema, spec: DetectorSpec | None) -> FixedSettings:
    if spec is None:
        features = {name: {"unit": "1"} for name in schema.features}
        columns = Columns.model_validate({"cadence": "1s", "features": features})
        return FixedSettings(schema, columns, Threshold().alpha, Smoothing(), Contexts())
    return FixedSettings(schema, spec.columns, spec.threshold.alpha, spec.smoothing, spec.contexts)
