"""The rows of open cases in a training window: they do not train, and they test the candidate.

A sustained episode leaves whole rows out. A shift is about one channel: where its cells can be
replaced (`shifted_cells`), the rows stay, and the other channels of them train.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from pipeline.cases import CaseSpan, unaccepted_spans
from pipeline.config import DetectorSpec
from pipeline.config.columns import OPEN_CASE_COLUMN
from pipeline.data.channels import channels
from pipeline.data.grid import nanoseconds
from pipeline.data.replaced_cells import ReplacedCells
from pipeline.data.split import normal_rows, of_open_case
from pipeline.data.timeline import Indices, Mask, machines, rows_within, timeline_from
from pipeline.errors import TooFewDays
from pipeline.settings import Deployment
from pipeline.steps.cases_on_record import answers_known
from pipeline.steps.shifted_cells import (
    CellReplacement,
    can_stay,
    record_of,
    replacement_for,
    without_cells,
)
from pipeline.store.cases import case_records
from pipeline.store.training_window import TrainingWindow
from pipeline.utc_day import DAY_NS, ONE_DAY, midnight

_NAMED = 3
KINDS_LEFT_OUT = ("episode", "shift")
"""A regime and a degradation are of the whole plant: without their rows nothing could train."""


@dataclass(frozen=True)
class LeftOut:
    """Rows without what open cases are about.

    Attributes:
        frame: all rows in their order; those to leave out are marked, the cells of shifts replaced.
        originals: the rows of open cases as they were measured.
        cases: ids of those whose rows are marked.
        cells: what was replaced; None: nothing was.
    """

    frame: pd.DataFrame
    originals: pd.DataFrame
    cases: tuple[str, ...] = ()
    cells: ReplacedCells | None = None


@dataclass(frozen=True)
class CleanedWindow:
    """A training window without what open cases are about.

    Attributes:
        window: as `split` takes it.
        originals: the rows of open cases as they were measured.
        shifts: the spans of shifts that nobody has answered.
    """

    window: TrainingWindow
    originals: pd.DataFrame
    shifts: tuple[CaseSpan, ...] = ()


def spans_left_out(
    here: Deployment, detector: str, first: date, as_of: date
) -> tuple[CaseSpan, ...]:
    """The spans since `first` of cases that nobody has called normal by `as_of`.

    Those whose data have returned as well: that does not make a fault normal.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
    """
    records = case_records(here, detector, first, as_of - ONE_DAY)
    if not records:
        return ()
    moment = midnight(as_of)
    spans = unaccepted_spans(records, answers_known(here, detector, moment), moment)
    return tuple(span for span in spans if span.kind in KINDS_LEFT_OUT)


def leave_out(
    here: Deployment, spec: DetectorSpec, frame: pd.DataFrame, spans: tuple[CaseSpan, ...]
) -> LeftOut:
    """`frame` without what these spans are about; as it is where it has no such row.

    Raises:
        UnprovenLedger: a shift is among them, and the ledger does not hold.
        UnprovenBundle: likewise, and the live bundle is not the one in the ledger.
    """
    inside = list(rows_within(timeline_from(frame, spec.columns), spans))
    if not any(len(rows) for rows in inside):
        return LeftOut(frame, frame.iloc[:0])
    shifted = any(span.kind == "shift" for span in spans)
    how = replacement_for(here, spec) if shifted else None
    return left_out(frame, spec, list(zip(spans, inside, strict=True)), how)


def left_out(
    frame: pd.DataFrame,
    spec: DetectorSpec,
    found: list[tuple[CaseSpan, Indices]],
    how: CellReplacement | None,
) -> LeftOut:
    """`frame` without what spans are about, given the rows of each; `how` replaces shifted cells.

    What is abnormal for another reason as well is left out whole, with the values it had: it may be
    an incident that tests the candidate.
    """
    whole, hidden = _whole_and_hidden(frame, spec, found, by_cell=how is not None)
    struck = whole | hidden.any(axis=1)
    made, cells = frame, None
    if how is not None and hidden.any():
        normal, machine = normal_rows(frame, spec.columns), machines(frame, spec.columns.entity)[0]
        lenders = normal & ~struck
        whole |= struck & ~(normal & can_stay(frame, spec, hidden, machine, lenders))
        hidden[whole] = False
        if hidden.any():
            cells = record_of(frame, spec, hidden, how)
            made = without_cells(frame, spec, hidden, machine, lenders, how)
    if whole.any():
        made = made.assign(**{OPEN_CASE_COLUMN: whole})
    cases = {span.case for span, rows in found if whole[rows].any()}
    originals = frame[struck].reset_index(drop=True)
    return LeftOut(made, originals, tuple(sorted(cases)), cells)


def without_open_cases(here: Deployment, spec: DetectorSpec, read: TrainingWindow) -> CleanedWindow:
    """The window without what open cases are about: rows that `split` leaves out, and cells.

    Raises:
        TooFewDays: fewer than `split.minimum_days` days keep half of their normal rows.
        UnprovenLedger: a shift is open, and the ledger does not hold.
        UnprovenBundle: likewise, and the live bundle is not the one in the ledger.
    """
    manifest = read.manifest
    spans = spans_left_out(here, spec.name, manifest.first_day, manifest.as_of)
    found = leave_out(here, spec, read.frame, spans)
    if found.originals.empty:
        return CleanedWindow(read, found.originals)
    excluded = dict(manifest.excluded)
    if found.cases:
        _refuse_few_days(found, spec)
        excluded[OPEN_CASE_COLUMN] = int(of_open_case(found.frame).sum())
    changed = replace(
        manifest,
        excluded=excluded,
        replaced=found.cells,
        normal_rows=int(normal_rows(found.frame, spec.columns).sum()),
    )
    shifts = tuple(span for span in spans if span.kind == "shift" and span.answer is None)
    return CleanedWindow(TrainingWindow(found.frame, changed), found.originals, shifts)


def _whole_and_hidden(
    frame: pd.DataFrame, spec: DetectorSpec, found: list[tuple[CaseSpan, Indices]], *, by_cell: bool
) -> tuple[Mask, Mask]:
    """Rows that are left out whole, shape (n,), and cells, shape (n, d), of all rows."""
    places = {channel.name: channel.columns for channel in channels(spec.columns)}
    whole = np.zeros(len(frame), dtype=bool)
    hidden = np.zeros((len(frame), len(spec.columns.feature_columns)), dtype=bool)
    for span, rows in found:
        if by_cell and span.kind == "shift":
            for name in span.channels or ():
                hidden[rows[:, None], list(places.get(name, ()))] = True
        else:
            whole[rows] = True
    return whole, hidden


def _refuse_few_days(found: LeftOut, spec: DetectorSpec) -> None:
    day = nanoseconds(found.frame[spec.columns.timestamp]) // DAY_NS
    whole = pd.Series(~of_open_case(found.frame)).groupby(day).mean()
    left, least = int((whole >= 1 / 2).sum()), spec.split.minimum_days
    if left < least:
        cases = found.cases
        named = ", ".join(cases[:_NAMED]) + (", ..." if cases[_NAMED:] else "")
        msg = (
            f"{left} of {len(whole)} days keep half of their rows without those of "
            f"{len(cases)} cases that nobody has called normal ({named}); limit {least} "
            f"(split.minimum_days). Answer them: python -m pipeline cases {spec.name} --all lists "
            "them, closed ones too. What is normal from now on may train, what was a fault stays "
            "out. An answer counts for trainings as of the day after it: give tomorrow as --as-of, "
            "or train tomorrow. Or lengthen split.training_days."
        )
        raise TooFewDays(msg)
