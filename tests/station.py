"""A made-up station: machines whose channels keep to a range, and a bundle that knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from pipeline.config import Columns, Shifts, Window
from pipeline.data.decision import ChannelDecision
from pipeline.data.timeline import timeline_from
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.inputs.scaling import Ranges
from pipeline.detector.inputs.schema import Schema, schema_of
from pipeline.shifts import OutOfRange, Shifted, shifted_rows

START = "2024-05-01"
PLAIN = Columns.model_validate(
    {
        "entity": "machine",
        "cadence": "10min",
        "features": {name: {"unit": "1"} for name in ("load", "flow", "pressure", "speed", "heat")},
    }
)
BRIEF, THIRD = 6, 32  # rows in an hour, and in a third of sixteen hours
RECOGNISED = 3  # rows out of range of which the next one is most of an hour


@dataclass(frozen=True)
class Ranged:
    """As much of a bundle as recognition reads: each feature was within 0 and 1."""

    schema: Schema

    def ranges(self) -> Ranges:
        d = len(self.schema.features)
        return Ranges((0.0,) * d, (1.0,) * d)


def ranged(columns: Columns = PLAIN) -> Ranged:
    return Ranged(schema_of(columns, Window()))


def station(
    rows: int, *, columns: Columns = PLAIN, machine: str = "a", seed: int = 0
) -> pd.DataFrame:
    """Rows whose features are all in range."""
    values = np.random.default_rng(seed).uniform(0, 1, (rows, len(columns.feature_columns)))
    time = pd.date_range(START, periods=rows, freq=columns.cadence, tz="UTC")
    frame = pd.DataFrame(values, columns=list(columns.feature_columns)).astype("float32")
    return frame.assign(timestamp=time, machine=machine)


def decision(channel: str, what: str, *, row: int = 0, day: int = 1, machine: str | None = None):
    since = pd.Timestamp(START, tz="UTC") + row * pd.Timedelta(PLAIN.cadence)
    made = datetime(2024, 6, day, tzinfo=UTC)
    return ChannelDecision(channel, machine, what, since.to_pydatetime(), "", "ada", made)


def column(shifted: Shifted, channel: str, kind: str = "muted") -> list[int]:
    """The rows in which `channel` is so."""
    marked = getattr(shifted, kind)[:, shifted.channels.index(channel)]
    return np.flatnonzero(marked).tolist()


def shifts_in(frame, bundle, columns, limits: Shifts, decisions=()) -> Shifted:
    """The shifts in the rows of `frame`."""
    values, timeline = feature_values(frame, bundle.schema), timeline_from(frame, columns)
    return shifted_rows(values, timeline, bundle, columns, limits, decisions)


def nothing_out(rows: int, channels: int) -> OutOfRange:
    """Rows whose channels all measure what they measured in training."""
    nowhere = np.zeros((rows, channels), dtype=bool)
    return OutOfRange(~nowhere, nowhere, nowhere, np.zeros(rows, dtype=bool), 2.0)
