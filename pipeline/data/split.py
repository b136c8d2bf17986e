"""Blocks of rows, each for one purpose only.

A block knows its role, and its user names the purpose: `rows_for(block, "calibration")` refuses
a training block, so that reuse is an error and not a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec, Split
from pipeline.config.columns import LABEL_COLUMN, OPEN_CASE_COLUMN
from pipeline.data.grid import cadence_ns, day_number, nanoseconds
from pipeline.data.label import INCIDENT, NORMAL
from pipeline.data.raw_values import truth
from pipeline.errors import DataError, SplitReuseError
from pipeline.utc_day import DAY_NS

Role = Literal["train", "calibration", "test"]


@dataclass(frozen=True)
class Block:
    """Rows of a training window that serve one purpose."""

    role: Role
    frame: pd.DataFrame


@dataclass(frozen=True)
class Blocks:
    """The three blocks of one training window; no row is in two of them."""

    train: Block
    calibration: Block
    test: Block


def rows_for(block: Block, purpose: Role) -> pd.DataFrame:
    """The rows of `block`, if `purpose` is what they were set aside for.

    Raises:
        SplitReuseError: the block has another role.
    """
    if block.role != purpose:
        msg = (
            f"The {block.role} block ({len(block.frame):,} rows) was offered for {purpose}. "
            f"Each block serves one purpose: pass blocks.{purpose}."
        )
        raise SplitReuseError(msg)
    return block.frame


def split(frame: pd.DataFrame, spec: DetectorSpec) -> Blocks:
    """`frame` shared out by whole UTC days, as `spec.split` says.

    Train and calibration hold normal rows only; the test block keeps its incidents, which test
    the candidate. Only for a threshold that needs labels (`threshold.method: cost_weighted`)
    the calibration block keeps its own incidents, and no other abnormal rows. With windows of
    several rows, the first window's length after each border is left out, so that no window of
    one block overlaps in time with one of another.

    Raises:
        DataError: a block would be empty.
    """
    moments = nanoseconds(frame[spec.columns.timestamp])
    day = moments // DAY_NS
    days = np.unique(day)
    if spec.split.method == "interleaved_days":
        # Counted from the detector's first day, so that a day has the same role in every window
        # it falls into: no candidate is evaluated on days that the champion trained on.
        place = (days - day_number(spec.schedule.start)) % _parts(spec.split)
    else:
        place = np.arange(len(days)) * _parts(spec.split) // max(len(days), 1)
    role_of_day = np.searchsorted(
        np.cumsum([spec.split.train, spec.split.calibration]), place, "right"
    )
    role = role_of_day[np.searchsorted(days, day)]
    kept = moments >= _gap_ends(days, role_of_day, spec)[np.searchsorted(days, day)]
    normal = normal_rows(frame, spec.columns)
    if spec.threshold.method == "cost_weighted":
        return _blocks(frame, role, kept, normal, incident_rows(frame, spec.columns))
    return _blocks(frame, role, kept, normal)


def trains(day: date, spec: DetectorSpec) -> bool:
    """Whether `day` trains in every window that it falls into; of interleaved days only."""
    place = (day_number(day) - day_number(spec.schedule.start)) % _parts(spec.split)
    return place < spec.split.train


def normal_rows(frame: pd.DataFrame, columns: Columns) -> NDArray[np.bool_]:
    """Rows that nothing marks as abnormal: they may train, and a flag on one is a false alarm.

    Neither an evaluation column that is true nor a person's verdict `incident` may mark them, nor
    may they be of an open case: what lasts is not normal until a person says so. The verdict
    `normal` withdraws such a verdict, not what the source itself says: to lose a row costs little,
    to learn a fault costs the fault.

    Raises:
        DataError: a mark is neither true nor false.
    """
    normal = ~labelled_incident(frame) & ~of_open_case(frame)
    for name in sorted(columns.marks & set(frame.columns)):
        normal &= ~truth(frame[name], name)
    return normal


def incident_rows(frame: pd.DataFrame, columns: Columns) -> NDArray[np.bool_]:
    """Rows of a known incident: a person's verdict, or the source's own incident column."""
    known = labelled_incident(frame)
    if columns.incident is not None and columns.incident in frame:
        known |= truth(frame[columns.incident], columns.incident)
    return known


def of_open_case(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that an open case is about, as the training window read them."""
    if OPEN_CASE_COLUMN not in frame:
        return np.zeros(len(frame), dtype=bool)
    marked: NDArray[np.bool_] = frame[OPEN_CASE_COLUMN].to_numpy(dtype=bool)
    return marked


def labelled_incident(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows whose latest verdict by a person, as the training window read it, is `incident`."""
    return _labelled(frame, INCIDENT)


def labelled_normal(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that a person has called normal, by a label or by an answer about a case."""
    return _labelled(frame, NORMAL)


def _labelled(frame: pd.DataFrame, verdict: int) -> NDArray[np.bool_]:
    if LABEL_COLUMN not in frame:
        return np.zeros(len(frame), dtype=bool)
    labelled: NDArray[np.bool_] = frame[LABEL_COLUMN].to_numpy() == verdict
    return labelled


def _parts(shares: Split) -> int:
    return shares.train + shares.calibration + shares.test


def _gap_ends(
    days: NDArray[np.int64], role_of_day: NDArray[np.intp], spec: DetectorSpec
) -> NDArray[np.int64]:
    """For each day the moment from which its rows count: one window after a change of role."""
    starts = np.concatenate([[True], np.diff(role_of_day) != 0])[: len(days)]
    segment_start = np.maximum.accumulate(np.where(starts, np.arange(len(days)), 0))
    length = spec.window.length
    gap = length * cadence_ns(spec.columns.cadence) if length > 1 else 0
    ends: NDArray[np.int64] = days[segment_start] * DAY_NS + (segment_start > 0) * gap
    return ends


def _blocks(
    frame: pd.DataFrame,
    role: NDArray[np.intp],
    kept: NDArray[np.bool_],
    normal: NDArray[np.bool_],
    incident: NDArray[np.bool_] | None = None,
) -> Blocks:
    """The blocks; `incident` rows are kept in the calibration block."""
    blocks = {}
    for number, name in enumerate(get_args(Role)):
        chosen = (role == number) & kept
        if name != "test":
            chosen &= normal if name == "train" or incident is None else normal | incident
        if not chosen.any():
            msg = (
                f"The {name} block of {len(frame):,} rows would be empty; lengthen "
                "split.training_days, or change the parts in split."
            )
            raise DataError(msg)
        blocks[name] = Block(cast("Role", name), frame[chosen].reset_index(drop=True))
    return Blocks(**blocks)
