"""One day scored: rows of `scores` and parts of incidents, a pure function of its basis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec
from pipeline.data.timeline import timeline
from pipeline.detector.attribution import Blame, worst
from pipeline.errors import BundleError, DataError
from pipeline.incidents.judging import JudgedRows, judge
from pipeline.incidents.parts import Part, day_parts, reach
from pipeline.registry.promotion import CHALLENGER, CHAMPION
from pipeline.shifts import Shifted
from pipeline.steps.live import Live
from pipeline.steps.operation.basis import Basis, DayBasis

_SHOWN = 3
_DIGITS = 4


@dataclass(frozen=True)
class DayScores:
    """What the tables shall hold of one day.

    Attributes:
        day: the UTC day.
        scores: rows of `scores`, champion before challenger, by time and entity; empty for a day
            without telemetry.
        parts: what the champion shows of incidents.
        flags: rows that the champion flags.
        median_score: of the champion; None without scores.
        remark: why the challenger did not score; empty when it did, or when there is none.
    """

    day: date
    scores: pd.DataFrame
    parts: tuple[Part, ...]
    flags: int
    median_score: float | None
    remark: str

    @property
    def rows(self) -> int:
        """Rows of the day that the champion judged."""
        return int((self.scores["role"] == CHAMPION).sum()) if len(self.scores) else 0


def score_day(spec: DetectorSpec, basis: Basis, day: DayBasis) -> DayScores:
    """Score `day`. A challenger that cannot score it costs its shadow, not the day.

    Raises:
        DataError: the champion lacks a column, or a value is not a finite number.
    """
    judges = basis.judges
    if not day.own:
        return DayScores(day.day, pd.DataFrame(), (), 0, None, judges.remark)
    champion = _judged(spec, basis, day, judges.champion)
    scores, remark = [_rows(spec, day, judges.champion, champion, CHAMPION)], judges.remark
    if judges.challenger is not None:
        try:
            shadow = _judged(spec, basis, day, judges.challenger)
        except (DataError, BundleError) as error:
            remark = f"no shadow: {error}"
        else:
            scores.append(_rows(spec, day, judges.challenger, shadow, CHALLENGER))
    complete = np.isfinite(champion.score)
    return DayScores(
        day=day.day,
        scores=pd.concat(scores, ignore_index=True),
        parts=tuple(_parts(spec, day, judges.champion, champion)),
        flags=int(champion.flagged.sum()),
        median_score=float(np.median(champion.score[complete])) if complete.any() else None,
        remark=remark,
    )


def _judged(spec: DetectorSpec, basis: Basis, day: DayBasis, by: Live) -> JudgedRows:
    return judge(by.bundle, day.frame, day.own, spec.shifts, basis.decisions)


def _rows(
    spec: DetectorSpec, day: DayBasis, by: Live, judged: JudgedRows, role: str
) -> pd.DataFrame:
    frame, columns = day.frame.iloc[-day.own :], spec.columns
    blamed: list[str | None] = [None] * day.own
    for row in np.flatnonzero(judged.flagged):
        blamed[row] = as_json(worst(judged.found[[row]], judged.shifts.channels, most=_SHOWN))
    return pd.DataFrame(
        {
            "date": day.day,
            "timestamp": frame[columns.timestamp],
            "entity": frame[columns.entity].astype(str) if columns.entity else "",
            "role": role,
            "version": by.version.number,
            "score": judged.score,
            "threshold": judged.threshold,
            "flag": judged.flagged,
            "muted": _muted(judged.shifts),
            "features": blamed,
        }
    )


def _parts(spec: DetectorSpec, day: DayBasis, by: Live, judged: JudgedRows) -> list[Part]:
    line = timeline(day.frame.iloc[-day.own :], spec.columns)
    return day_parts(judged, line, by.version.number, *within(spec))


def as_json(features: Sequence[Blame]) -> str:
    """`[[channel, times usual], ...]`, four digits: no more are known, and text stays the same."""
    return json.dumps([[name, float(f"{times:.{_DIGITS}g}")] for name, times in features])


def from_json(text: Any) -> tuple[Blame, ...]:
    """What `as_json` wrote; nothing for a null."""
    held = json.loads(text) if isinstance(text, str) else []
    return tuple(Blame(str(name), float(times)) for name, times in held)


def within(spec: DetectorSpec) -> tuple[pd.Timedelta, pd.Timedelta]:
    """How far apart flags, and rows in which a channel has moved, may lie in one incident."""
    flags = reach(spec.incidents.join, spec.columns)
    return flags, max(flags, pd.Timedelta(spec.shifts.lasting))


def _muted(shifts: Shifted) -> NDArray[Any]:
    told = np.full(len(shifts.muted), "", dtype=object)
    for row in np.flatnonzero(shifts.muted.any(axis=1)):
        names = zip(shifts.channels, shifts.muted[row], strict=True)
        told[row] = ",".join(name for name, muted in names if muted)
    return told
