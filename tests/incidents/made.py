"""Parts and judged rows, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.timeline import Timeline
from pipeline.detector.attribution import Blame
from pipeline.incidents.judging import FlaggedRows
from pipeline.incidents.parts import IncidentPart
from pipeline.shifts import Shifted
from tests.station import nothing_out

MINUTE = 60_000_000_000
DAY = pd.Timestamp("2024-03-01", tz="UTC")
CHANNELS = ("flow", "pressure", "angle")


def timeline_of(times: Sequence[pd.Timestamp], entities: Sequence[str] | None = None) -> Timeline:
    """A timeline of ten-minute rows."""
    names, codes = np.unique(list(entities or [""] * len(times)), return_inverse=True)
    time_ns = pd.DatetimeIndex(times).as_unit("ns").asi8
    return Timeline(time_ns, codes.astype(np.intp), tuple(map(str, names)), 10 * MINUTE)


def judged(excess: Sequence[float], **arrays: Any) -> FlaggedRows:
    """Rows with these scores over a threshold of 2; `found` etc. are 0 unless given."""
    n, c = len(excess), len(CHANNELS)
    given: Mapping[str, Any] = {
        "found": np.zeros((n, c)),
        "strength": np.zeros((n, c)),
        "moved": np.zeros((n, c), dtype=bool),
        "failing": np.zeros((n, c), dtype=bool),
        "regime": np.zeros(n, dtype=bool),
        **arrays,
    }
    return FlaggedRows(
        score=2 * np.asarray(excess, dtype=np.float64),
        threshold=np.full(n, 2.0),
        flagged=np.asarray(excess) > 1,
        flagged_unmuted=np.asarray(excess) > 1,
        shifts=Shifted(
            channels=CHANNELS,
            columns=((0,), (1,), (2, 3)),
            muted=given["moved"],
            moved=given["moved"],
            regime=given["regime"],
            raw=nothing_out(n, c),
        ),
        found=given["found"],
        strength=given["strength"],
        partial=given["failing"].any(axis=1),
        failing=given["failing"],
    )


def part(start: str, end: str, **changed: Any) -> IncidentPart:
    """An anomaly of 3 rows at twice the threshold, all of it the flow."""
    content: dict[str, Any] = {
        "kind": "anomaly",
        "status": "raised",
        "entity": "a",
        "start": pd.Timestamp(start, tz="UTC"),
        "end": pd.Timestamp(end, tz="UTC"),
        "rows": 3,
        "peak": 2.0,
        "peak_at": pd.Timestamp(start, tz="UTC"),
        "version": 1,
        "features": (Blame("flow", 4.0),),
    }
    return IncidentPart(**{**content, **changed})
