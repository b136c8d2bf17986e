"""One day scored: rows of `scores` and parts of incidents, a pure function of the inputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.cases import NOTHING, day_facts, day_values
from pipeline.config import DetectorSpec
from pipeline.data.channels import channels_as_cell
from pipeline.data.timeline import Timeline, machines, timeline_from
from pipeline.detector.attribution import blame_as_text, worst_of_each
from pipeline.errors import BundleError, DataError
from pipeline.incidents.judging import FlaggedRows, judge
from pipeline.incidents.parts import IncidentPart, day_parts, largest_gaps
from pipeline.shifts import Shifted
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.steps.scoring_inputs import DayInputs, ScoringInputs
from pipeline.store.scores import CHALLENGER, CHAMPION, DayScores
from pipeline.tables.schemas import SCHEMAS

_SCHEMA = SCHEMAS["scores"]
_SHOWN = 3


def score_day(spec: DetectorSpec, inputs: ScoringInputs, day: DayInputs) -> DayScores:
    """Score `day`. If the challenger cannot score it, only the challenger's scores are missing.

    Raises:
        DataError: the champion lacks a column, the rows mean something else than it needs, or a
            value is not a finite number.
    """
    bundles = inputs.bundles
    if day.misfit:
        raise DataError(day.misfit)
    if not day.own:
        return DayScores(day.day, _SCHEMA.empty_table(), 0, (), 0, None, bundles.remark, NOTHING)
    champion = _judged(spec, inputs, day, bundles.champion)
    scores, remark = [_rows(spec, day, bundles.champion, champion, CHAMPION)], bundles.remark
    if bundles.challenger is not None:
        try:
            refuse_unfit(bundles.challenger, spec)
            shadow = _judged(spec, inputs, day, bundles.challenger)
        except (DataError, BundleError) as error:
            remark = f"no shadow: {error}"
        else:
            scores.append(_rows(spec, day, bundles.challenger, shadow, CHALLENGER))
    complete = np.isfinite(champion.score)
    own = day.frame.iloc[-day.own :]
    timeline, values = timeline_from(own, spec.columns), day_values(bundles.champion.bundle, own)
    return DayScores(
        day=day.day,
        scores=pa.concat_tables(scores),
        rows=day.own,
        parts=tuple(_parts(spec, timeline, bundles.champion, champion)),
        flags=int(champion.flagged.sum()),
        median_score=float(np.median(champion.score[complete])) if complete.any() else None,
        remark=remark,
        facts=day_facts(champion, timeline, inputs.limits, values),
    )


def _judged(
    spec: DetectorSpec, inputs: ScoringInputs, day: DayInputs, by: LoadedVersion
) -> FlaggedRows:
    return judge(by.bundle, day.frame, day.own, spec.shifts, inputs.decisions)


def _rows(
    spec: DetectorSpec, day: DayInputs, by: LoadedVersion, judged: FlaggedRows, role: str
) -> pa.Table:
    frame, n = day.frame.iloc[-day.own :], day.own
    time = pd.DatetimeIndex(frame[spec.columns.timestamp]).as_unit("us")
    entity, names = machines(frame, spec.columns.entity)
    blamed: list[str | None] = [None] * n
    flagged = np.flatnonzero(judged.flagged)
    channels = worst_of_each(judged.found[flagged], judged.shifts.channels, most=_SHOWN)
    for row, features in zip(flagged.tolist(), channels, strict=True):
        blamed[row] = blame_as_text(features)
    return pa.Table.from_arrays(
        [
            pa.repeat(pa.scalar(day.day, pa.date32()), n),
            pa.array(time.asi8).view(_SCHEMA.field("timestamp").type),
            pa.DictionaryArray.from_arrays(entity, pa.array(names)).dictionary_decode(),
            pa.repeat(role, n),
            pa.repeat(pa.scalar(by.version.number, pa.int64()), n),
            pa.array(judged.score, from_pandas=True),  # no score is null, not NaN
            pa.array(judged.threshold),
            pa.array(judged.flagged),
            _muted(judged.shifts),
            pa.array(judged.partial),
            pa.array(blamed, pa.string()),
        ],
        schema=_SCHEMA,
    )


def _parts(
    spec: DetectorSpec, timeline: Timeline, by: LoadedVersion, judged: FlaggedRows
) -> list[IncidentPart]:
    return day_parts(judged, timeline, by.version.number, *largest_gaps(spec))


def _muted(shifts: Shifted) -> pa.Array:
    """The channels left out of each row's score, comma-separated."""
    rows = np.flatnonzero(shifts.muted.any(axis=1))
    sets, which = np.unique(shifts.muted[rows], axis=0, return_inverse=True)
    texts = ["", *(channels_as_cell(np.array(shifts.channels)[held]) for held in sets)]
    place = np.zeros(len(shifts.muted), dtype=np.int32)
    place[rows] = 1 + which.reshape(-1)
    return pa.DictionaryArray.from_arrays(place, pa.array(texts)).dictionary_decode()
