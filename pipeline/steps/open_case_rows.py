"""The rows of open cases in a training window: they do not train, and they test the candidate."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from pipeline.cases import CaseSpan, unaccepted_spans
from pipeline.config import DetectorSpec
from pipeline.config.columns import OPEN_CASE_COLUMN
from pipeline.data.grid import nanoseconds
from pipeline.data.split import normal_rows, of_open_case
from pipeline.data.timeline import rows_within, timeline_from
from pipeline.errors import TooFewDays
from pipeline.settings import Deployment
from pipeline.steps.cases_on_record import answers_known
from pipeline.store.cases import case_records
from pipeline.store.training_window import TrainingWindow
from pipeline.utc_day import DAY_NS, ONE_DAY, midnight

_NAMED = 3
_LEFT_OUT = ("episode", "shift")
"""A regime and a degradation are of the whole plant: without their rows nothing could train."""


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
    return tuple(span for span in spans if span.kind in _LEFT_OUT)


def marked(frame: pd.DataFrame, spec: DetectorSpec, spans: tuple[CaseSpan, ...]) -> pd.DataFrame:
    """`frame` with the rows of these spans marked; as it is where there are none."""
    if not spans:
        return frame
    found = np.zeros(len(frame), dtype=bool)
    for rows in rows_within(timeline_from(frame, spec.columns), spans):
        found[rows] = True
    return frame.assign(**{OPEN_CASE_COLUMN: found}) if found.any() else frame


def without_open_cases(
    here: Deployment, spec: DetectorSpec, read: TrainingWindow
) -> TrainingWindow:
    """The window with the rows of open cases marked, so that `split` leaves them out.

    Raises:
        TooFewDays: fewer than `split.minimum_days` days keep half of their normal rows.
    """
    manifest = read.manifest
    spans = spans_left_out(here, spec.name, manifest.first_day, manifest.as_of)
    frame = marked(read.frame, spec, spans)
    count = int(of_open_case(frame).sum())
    if not count:
        return read
    _refuse_few_days(frame, spec, spans)
    changed = replace(
        manifest,
        excluded={**manifest.excluded, OPEN_CASE_COLUMN: count},
        normal_rows=int(normal_rows(frame, spec.columns).sum()),
    )
    return TrainingWindow(frame, changed)


def _refuse_few_days(frame: pd.DataFrame, spec: DetectorSpec, spans: tuple[CaseSpan, ...]) -> None:
    day = nanoseconds(frame[spec.columns.timestamp]) // DAY_NS
    whole = pd.Series(~of_open_case(frame)).groupby(day).mean()
    left, least = int((whole >= 1 / 2).sum()), spec.split.minimum_days
    if left < least:
        cases = sorted({span.case for span in spans})
        named = ", ".join(cases[:_NAMED]) + (", ..." if cases[_NAMED:] else "")
        msg = (
            f"{left} of {len(whole)} days keep half of their rows without those of "
            f"{len(cases)} open cases ({named}); "
            f"limit {least} (split.minimum_days). Answer them: python -m pipeline cases "
            f"{spec.name}. What is normal from now on may train, what was a fault stays out; or "
            "lengthen split.training_days."
        )
        raise TooFewDays(msg)
