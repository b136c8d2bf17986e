"""The rows of a fine-tuning: recent ones that count as normal, and older ones to replay.

Which recent rows count as normal: rows that a person has labelled normal always do; rows that a
person or the source calls abnormal never do; of the others, those that the champion flags are left
out until somebody has labelled them. A new training keeps such rows, as a threshold flags one
normal row in a hundred, and hundreds of days outweigh a fault. A fine-tuning sees only the last
weeks, and its successor sees them again next month: a fault that has begun would be a large share
of its training rows, and would count as normal a month later.

Leaving flagged rows out would bias a threshold: rows below the old threshold alone would give a
lower one, and that one a lower one still. The threshold of a fine-tuned candidate is therefore not
estimated on these rows but like any candidate's, on the calibration block, which keeps every row
that is not labelled an incident, flagged or not. So the rate stays as promised however often a
detector is fine-tuned. One limit remains: where normal has moved so far that most of it is flagged,
a fine-tuning follows only as far as the old threshold. Label those days normal, or train without
warm_start.

Neither kind of row may be of a day that any candidate is calibrated or tested on, so the weights
to start from must have been trained on days of the same roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.data.split import labelled_normal, trains
from pipeline.detector.bundle.description import Provenance
from pipeline.errors import DataError
from pipeline.records import to_json

FIX = "Train without warm_start."


@dataclass(frozen=True)
class RecentRows:
    """Recent rows to train on.

    Attributes:
        frame: rows that count as normal.
        confirmed: how many of them a person has labelled normal.
        suspects: how many rows were left out, flagged and labelled by nobody.
    """

    frame: pd.DataFrame
    confirmed: int
    suspects: int


def newest_days(frame: pd.DataFrame, spec: DetectorSpec) -> pd.DataFrame:
    """The rows of the newest `fine_tuning.recent_days` days in `frame`."""
    day = frame[spec.columns.timestamp].dt.date
    newest = sorted(set(day))[-spec.fine_tuning.recent_days :]
    recent: pd.DataFrame = frame[day.isin(newest)]
    return recent.reset_index(drop=True)


def recent_rows(frame: pd.DataFrame, flagged: NDArray[np.bool_]) -> RecentRows:
    """The rows of `frame` that count as normal; `flagged`, shape (n,): by the champion."""
    confirmed = labelled_normal(frame)
    suspect = flagged & ~confirmed
    return RecentRows(
        frame=frame[~suspect].reset_index(drop=True),
        confirmed=int(confirmed.sum()),
        suspects=int(suspect.sum()),
    )


def replayable(
    days: Iterable[date],
    trained_on: tuple[date, date],
    recent: set[date],
    spec: DetectorSpec,
) -> list[date]:
    """Those of `days` that the weights were trained on, first to last, and that are not recent."""
    first, last = trained_on
    return [day for day in days if first <= day <= last and day not in recent and trains(day, spec)]


def spread_evenly(days: Sequence[date], most: int) -> list[date]:
    """At most `most` of the days, the first and the last among them, at even distances."""
    if not days:
        return []
    places = np.linspace(0, len(days) - 1, most).round().astype(int)
    return [days[place] for place in np.unique(places)]


def days_of(frame: pd.DataFrame, columns: Columns) -> set[date]:
    """The UTC days that `frame` has rows of."""
    return set(frame[columns.timestamp].dt.date)


def day_roles(spec: DetectorSpec) -> dict[str, object]:
    """The settings that decide which days train: kept in the bundle for a later fine-tuning."""
    parts = {"method", "train", "calibration", "test"}
    shares = to_json(spec.split.model_dump(mode="json", include=parts))
    return {"split": {**shares, "counted_from": spec.schedule.start.isoformat()}}


def refuse_other_roles(training: Provenance, version: int, spec: DetectorSpec) -> None:
    """Refuse weights that may have been trained on calibration or test days.

    `training` is the provenance of the training that made the weights of version `version`.

    Raises:
        DataError: days have no role of their own, or had another one then.
    """
    if spec.split.method != "interleaved_days":
        msg = (
            f"split.method is {spec.split.method}: which days train moves with the window, so the "
            f"weights of version {version} may have been trained on calibration or test days. "
            f"{FIX}"
        )
        raise DataError(msg)
    was, now = training.data.get("split"), day_roles(spec)["split"]
    if was is not None and was != now:
        msg = (
            f"Days were split by {was} when version {version} was trained, and by {now} today, so "
            f"its weights may have been trained on calibration or test days. {FIX}"
        )
        raise DataError(msg)


def trained_span(training: Provenance) -> tuple[date, date]:
    """First and last day that the weights were trained on, and those that they started from.

    Raises:
        DataError: the bundle does not say.
    """
    try:
        first, last = (date.fromisoformat(training.data[key]) for key in ("first_day", "last_day"))
    except KeyError as error:
        msg = f"The live version does not say which days it was trained on ({error}). {FIX}"
        raise DataError(msg) from error
    return min(first, training.start.since) if training.start else first, last
