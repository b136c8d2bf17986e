"""The two blocks of a `fit`: rows to train on, and other rows to draw the threshold on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cli.training_data import TrainingData, by_numbers, by_spec
from pipeline.config import DetectorSpec
from pipeline.config.model import DenoisingModel, Model
from pipeline.config.score import ReconstructionScore, Score
from pipeline.config.threshold import Threshold
from pipeline.data.split import Block
from pipeline.detector.frames import feature_values, timeline_of
from pipeline.detector.holdout import hold_out
from pipeline.detector.schema import Schema
from pipeline.detector.scored import Rows
from pipeline.detector.sums import file_hash
from pipeline.errors import DataError, SplitReuseError

_EVERY = 6  # one part in six calibrates: 17 %
_MOST_ROWS = 5000  # more calibration rows only take from the training
_MANY_TWINS = 0.5


@dataclass(frozen=True)
class FitBlocks:
    """What `fit` needs: disjoint blocks, their schema, what to tell, and what to write down."""

    train: Block
    calibration: Block
    schema: Schema
    remarks: tuple[str, ...]
    manifest: dict[str, object]


def settings_of(spec: DetectorSpec | None) -> tuple[Model, Score, Threshold]:
    """The detector file's settings; without one the defaults, and a Hill line for small data."""
    if spec is None:
        return DenoisingModel(), ReconstructionScore(), Threshold(small_sample="hill")
    return spec.model, spec.score, spec.threshold


def blocks_of(train: Path, calibration: Path | None, spec: DetectorSpec | None) -> FitBlocks:
    """Read, check and share out the rows.

    Raises:
        DataError: the files cannot be used.
        SplitReuseError: the calibration rows are training rows.
    """
    rows = by_spec(train, spec) if spec else by_numbers(train)
    settings, _, threshold = settings_of(spec)
    if calibration is None:
        least = max(threshold.minimum_rows, 1)
        kept, held = _held_out(rows, settings.seed, least)
        files = {"train": _file(train, rows.frame), "held_out_rows": len(held)}
        remarks = rows.remarks
    else:
        _refuse_same_file(train, calibration)
        other = by_spec(calibration, spec) if spec else by_numbers(calibration, rows.schema)
        kept, held = rows.frame, other.frame
        remarks = rows.remarks + other.remarks + _shared(kept, held, rows.schema, calibration)
        files = {"train": _file(train, kept), "calibration": _file(calibration, held)}
    return FitBlocks(Block("train", kept), Block("calibration", held), rows.schema, remarks, files)


def _held_out(rows: TrainingData, seed: int, least: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    line = timeline_of(rows.frame, rows.schema)
    held = hold_out(len(rows.frame), line, every=_EVERY, seed=seed, least=least, most=_MOST_ROWS)
    return rows.frame.loc[~held], rows.frame.loc[held]


def _refuse_same_file(train: Path, calibration: Path) -> None:
    if not calibration.is_file():
        msg = f"{calibration}: no such file; give normal rows that are not in {train}"
        raise DataError(msg)
    if file_hash(train) == file_hash(calibration):
        msg = (
            f"{calibration} and {train} have the same content. A threshold drawn on training rows "
            "is too low: give rows of another time, or leave --calibration out."
        )
        raise SplitReuseError(msg)


def _shared(
    train: pd.DataFrame, calibration: pd.DataFrame, schema: Schema, path: Path
) -> tuple[str, ...]:
    """Refuse rows of the same time and entity; remark on many identical rows without time."""
    if schema.timestamp is not None:
        keys = [schema.timestamp] + ([schema.entity] if schema.entity else [])
        known = pd.MultiIndex.from_frame(_keys(train, keys))
        shared = int(pd.MultiIndex.from_frame(_keys(calibration, keys)).isin(known).sum())
        if shared:
            msg = (
                f"{path}: {shared:,} of {len(calibration):,} rows have the {' and '.join(keys)} "
                "of a training row. A threshold drawn on training rows is too low: give rows of "
                "another time."
            )
            raise SplitReuseError(msg)
        return ()
    twins = _twins(feature_values(train, schema), feature_values(calibration, schema))
    if twins > _MANY_TWINS:
        remark = (
            f"warning: {twins:.0%} of the calibration rows are identical to a training row; if "
            "they are the same rows, the threshold is too low."
        )
        return (remark,)
    return ()


def _keys(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    keys = frame[names].copy()
    keys[names[0]] = pd.to_datetime(keys[names[0]], utc=True)
    return keys


def _twins(train: Rows, calibration: Rows) -> float:
    """Share of calibration rows that are, bit for bit, also training rows."""
    known = {row.tobytes() for row in train}
    return float(np.mean([row.tobytes() in known for row in calibration]))


def _file(path: Path, frame: pd.DataFrame) -> dict[str, object]:
    return {"file": path.name, "sha256": file_hash(path), "rows": len(frame)}
