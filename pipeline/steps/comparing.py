"""The live version on a candidate's test rows: the facts for the gate's relative checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.cases import CaseSpan
from pipeline.config import Columns, DetectorSpec
from pipeline.data.meaning import meaning_of, misfits, needed_for_scores
from pipeline.data.timeline import Indices, Mask, rows_within, subset, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.scored import Rows
from pipeline.evaluation.injection import minimum_detectable, recall
from pipeline.evaluation.metrics import incidents_caught
from pipeline.evaluation.paired import FaultLoss, fault_losses
from pipeline.evaluation.replay import Replay, Replayed, replay
from pipeline.evaluation.tryout import common_choice, faults_in, judge, try_out
from pipeline.gate import ChampionFacts
from pipeline.gate.facts import OpenCaseFlags, OpenShift
from pipeline.incidents.judging import fitted_columns
from pipeline.scoring import score_rows
from pipeline.shifts import outside

NOT_COMPARED = (
    "champion {} cannot be read by this release, or needs other columns, units or another cadence "
    "than the detector file says: **no check compared with it**, and the gate decided by the "
    "absolute checks alone"
)


@dataclass(frozen=True)
class ChampionComparison:
    """The live version on the candidate's test rows.

    Attributes:
        facts: for the gate.
        replayed: candidate and champion on the same rows.
        threshold: of the champion.
        grades: share of injected faults that the champion catches, by kind and size.
        losses: faults that the candidate catches less often, by kind.
    """

    facts: ChampionFacts
    replayed: Replay
    threshold: float
    grades: dict[str, dict[float, float]]
    losses: dict[str, FaultLoss]


def open_case_flags(live: Bundle, bundle: Bundle, frame: pd.DataFrame) -> OpenCaseFlags | None:
    """What both flag of the rows of open cases, muting nothing; None without such rows."""
    frame = _readable_rows(live, frame)
    if frame.empty:
        return None
    new, old = score_rows(bundle, frame), score_rows(live, frame)
    both = new.complete & old.complete
    now, before = new.score[both] > bundle.threshold, old.score[both] > live.threshold
    return OpenCaseFlags(
        rows=int(both.sum()),
        candidate=float(now.sum()),
        champion=float(before.sum()),
        lost=float((before & ~now).sum()),
        gained=float((now & ~before).sum()),
    )


def open_shifts(
    live: Bundle,
    bundle: Bundle,
    frame: pd.DataFrame,
    spans: tuple[CaseSpan, ...],
    spec: DetectorSpec,
) -> tuple[OpenShift, ...]:
    """How far the ranges of both leave the rows of open shifts outside, by machine and channel.

    `frame` has the rows of open cases as they were measured. A shift without a row outside the live
    version's range says nothing, nor does a channel that is not in the detector file any more.
    """
    inside = rows_within(timeline_from(frame, spec.columns), spans)
    of_shift: dict[tuple[str, str], list[Indices]] = {}
    for span, rows in zip(spans, inside, strict=True):
        for channel in span.channels or ():
            if channel in spec.columns.features:
                of_shift.setdefault((channel, span.entity or ""), []).append(rows)
    found = (
        _open_shift(live, bundle, frame.iloc[np.unique(np.concatenate(rows))], *shift, spec)
        for shift, rows in of_shift.items()
    )
    return tuple(shift for shift in found if shift is not None and shift.rows)


def _open_shift(
    live: Bundle,
    bundle: Bundle,
    rows: pd.DataFrame,
    channel: str,
    machine: str,
    spec: DetectorSpec,
) -> OpenShift | None:
    column, padding = spec.columns.own_columns(channel)[0], spec.shifts.padding
    if column not in live.schema.features:
        return None
    values = rows[[column]].to_numpy(dtype=np.float32)
    values = values[_outside(values, live, column, padding)[:, 0]]
    still = _outside(values, bundle, column, padding)
    return OpenShift(channel, machine, len(values), float(still.sum()))


def _outside(values: Rows, bundle: Bundle, column: str, padding: float) -> Mask:
    """Values of one feature, shape (n, 1), outside its padded training range."""
    at, ranges = [bundle.schema.features.index(column)], bundle.ranges()
    return outside(values, np.array(ranges.lowest)[at], np.array(ranges.highest)[at], padding)


def compare(
    number: int,
    live: Bundle,
    bundle: Bundle,
    frame: pd.DataFrame,
    incidents: pd.DataFrame,
    spec: DetectorSpec,
) -> ChampionComparison | None:
    """Champion and candidate on the same rows; None where the champion cannot read them.

    For a champion that takes no missing values these are the rows without any.
    """
    if set(live.schema.features) - set(frame.columns) or _means_otherwise(live, spec):
        return None
    frame, incidents = _readable_rows(live, frame), _readable_rows(live, incidents)
    if frame.empty:
        return None
    choice, rows = common_choice(bundle, live), judge(live, frame, spec.columns)
    tried = try_out(live, frame, spec.columns, rows, incidents, choice=choice)
    was, now = live.description.network, bundle.description.network
    facts = ChampionFacts(
        version=number,
        median_error=tried.diagnosis.median_error,
        alerts_per_day=tried.evaluation.alerts_per_day,
        incidents_caught=incidents_caught(tried.incidents),
        fault_size=minimum_detectable(tried.faults, share=spec.gate.minimum_fault_recall),
        explained_variance=tried.diagnosis.explained_variance,
        same_kind=(was.family, was.loss) == (now.family, now.loss),
    )
    replayed = _replayed(live, bundle, frame, spec.columns)
    losses = fault_losses(faults_in(bundle, frame, spec.columns, choice), tried.faults)
    return ChampionComparison(facts, replayed, live.threshold, recall(tried.faults), losses)


def _means_otherwise(live: Bundle, spec: DetectorSpec) -> bool:
    if live.schema.source_columns is None:
        return False
    needs = needed_for_scores(fitted_columns(live))
    return bool(misfits(needs, meaning_of(spec.columns)))


def _readable_rows(live: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    if live.schema.takes_missing or frame.empty:
        return frame
    whole = frame[list(live.schema.features)].notna().all(axis=1)
    return frame if whole.all() else frame[whole].reset_index(drop=True)


def _replayed(live: Bundle, bundle: Bundle, frame: pd.DataFrame, columns: Columns) -> Replay:
    """Both on the rows that end a full window of each: their windows may differ in length."""
    new, old = score_rows(bundle, frame), score_rows(live, frame)
    both = np.flatnonzero(new.complete & old.complete)
    return replay(
        subset(timeline_from(frame, columns), both),
        Replayed(new.score[both].astype(np.float32), bundle.threshold),
        Replayed(old.score[both].astype(np.float32), live.threshold),
    )
