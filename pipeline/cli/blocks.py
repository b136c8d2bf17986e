"""The two blocks of a `fit`: rows to train on, and other rows to estimate the threshold on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cli.stored import batches, content_hash
from pipeline.cli.training_data import RandomSample, TrainingData, by_numbers, by_spec
from pipeline.config import DetectorSpec
from pipeline.config.calibration import Threshold
from pipeline.config.model import DenoisingModel, Model
from pipeline.config.score import MemoryScore, ReconstructionScore, Score
from pipeline.data.split import Block
from pipeline.detector.inputs.frames import timeline_of, unchecked_values, utc_of
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.training.holdout import hold_out
from pipeline.errors import DataError, SplitReuseError

_EVERY = 6  # one part in six calibrates: 17 %
_MOST_ROWS = 5000  # more calibration rows only take from the training
_MANY_TWINS = 0.5


@dataclass(frozen=True)
class FitBlocks:
    """The input of `fit`: disjoint blocks, their schema, remarks to print, and provenance."""

    train: Block
    calibration: Block
    schema: Schema
    remarks: tuple[str, ...]
    manifest: dict[str, object]


def settings_of(spec: DetectorSpec | None, *, timed: bool = True) -> tuple[Model, Score, Threshold]:
    """The settings of the detector file; without one the defaults, with `hill` for small samples.

    Rows with a time are scored by their reconstruction, which generalises to the next season; rows
    without time by their distance to normal ones.
    """
    if spec is None:
        threshold = Threshold(small_sample="hill")
        if timed:
            return DenoisingModel(), ReconstructionScore(), threshold
        return DenoisingModel().model_copy(update={"swap": 0.0}), MemoryScore(), threshold
    return spec.model, spec.score, spec.threshold


def blocks_of(
    train: Path, calibration: Path | None, spec: DetectorSpec | None, *, most: int
) -> FitBlocks:
    """Read, check and split the rows; at most `most` rows of each file.

    Raises:
        DataError: the files cannot be used.
        SplitReuseError: the calibration rows are training rows.
    """
    settings, _, threshold = settings_of(spec)
    sample = RandomSample(most, settings.seed)
    rows = by_spec(train, spec, sample) if spec else by_numbers(train, sample)
    if calibration is None:
        least = max(threshold.minimum_rows, 1)
        kept, held = _held_out(rows, settings.seed, least)
        files: dict[str, object] = {"train": _file(rows), "held_out_rows": len(held)}
        remarks = rows.remarks
    else:
        if not calibration.exists():
            msg = f"{calibration}: no such file; give normal rows that are not in {train}"
            raise DataError(msg)
        other = (
            by_spec(calibration, spec, sample)
            if spec
            else by_numbers(calibration, sample, rows.schema)
        )
        kept, held = rows.frame, other.frame
        trained_on, calibrated_on = _file(rows), _file(other)
        _refuse_same_content(train, trained_on, calibration, calibrated_on)
        remarks = rows.remarks + other.remarks + _shared(rows, held, calibration)
        files = {"train": trained_on, "calibration": calibrated_on}
    return FitBlocks(Block("train", kept), Block("calibration", held), rows.schema, remarks, files)


def _held_out(rows: TrainingData, seed: int, least: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    timeline = timeline_of(rows.frame, rows.schema)
    held = hold_out(
        len(rows.frame), timeline, every=_EVERY, seed=seed, least=least, most=_MOST_ROWS
    )
    return rows.frame.loc[~held], rows.frame.loc[held]


def _refuse_same_content(
    train: Path, trained_on: dict[str, object], calibration: Path, calibrated_on: dict[str, object]
) -> None:
    """Raise if both files have the same hash."""
    if trained_on["sha256"] == calibrated_on["sha256"]:
        msg = (
            f"{calibration} and {train} have the same content. A threshold estimated on training "
            "rows is too low: give rows of another time, or leave --calibration out."
        )
        raise SplitReuseError(msg)


def _shared(rows: TrainingData, calibration: pd.DataFrame, path: Path) -> tuple[str, ...]:
    """Refuse rows of the same time and entity; remark on many identical rows without time.

    Compared with all training rows, sampled or not.
    """
    schema = rows.schema
    if schema.timestamp is not None:
        keys = [schema.timestamp] + ([schema.entity] if schema.entity else [])
        asked = pd.MultiIndex.from_frame(_keys(calibration, keys))
        known = np.zeros(len(calibration), dtype=bool)
        for frame in _all_rows(rows, keys):
            known |= asked.isin(pd.MultiIndex.from_frame(_keys(frame, keys)))
        if known.any():
            msg = (
                f"{path}: {int(known.sum()):,} of {len(calibration):,} rows have the "
                f"{' and '.join(keys)} of a training row. A threshold estimated on training rows "
                "is too low: give rows of another time."
            )
            raise SplitReuseError(msg)
        return ()
    twins = _twins(rows, calibration)
    if twins > _MANY_TWINS:
        remark = (
            f"warning: {twins:.0%} of the calibration rows are identical to a training row; if "
            "they are the same rows, the threshold is too low."
        )
        return (remark,)
    return ()


def _all_rows(rows: TrainingData, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Every row of the training files, in batches if they do not fit into memory."""
    if not rows.is_sample:
        yield rows.frame
        return
    for table in batches(rows.source, columns):
        yield table.to_pandas()


def _keys(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    keys = frame[names].copy()
    keys[names[0]] = utc_of(keys[names[0]], names[0])
    return keys


def _twins(rows: TrainingData, calibration: pd.DataFrame) -> float:
    """Share of calibration rows that are, bit for bit, also training rows."""
    schema = rows.schema
    names = {*schema.features, *(each.column for each in schema.offsets)}
    asked = [row.tobytes() for row in unchecked_values(calibration, schema)]
    wanted, known = set(asked), set[bytes]()
    for frame in _all_rows(rows, [name for name in rows.source.schema.names if name in names]):
        known |= wanted.intersection(row.tobytes() for row in unchecked_values(frame, schema))
    return float(np.mean([row in known for row in asked]))


def _file(rows: TrainingData) -> dict[str, object]:
    """The origin of the rows, for the bundle's provenance."""
    file = {"file": rows.source.path.name, "sha256": content_hash(rows.source)}
    if rows.is_sample:
        return {**file, "rows": rows.source.rows, "drawn": len(rows.frame)}
    return {**file, "rows": len(rows.frame)}
