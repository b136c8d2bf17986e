"""Rows of cases that a person has called normal, in a training window."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from pipeline.cases import CaseSpan
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import INCIDENT, NO_VERDICT, NORMAL
from pipeline.data.label_request import Author
from pipeline.steps.accepted_case_rows import called_normal, with_accepted_rows
from pipeline.steps.case_answering import answer_case
from pipeline.store.cases import cases_after, settle_cases
from pipeline.store.training_window import TrainingWindow, WindowManifest
from tests.builders import days, make_spec, make_telemetry, moment
from tests.cases.made import FIRST, facts, flags, stretch
from tests.steps.asked import put_detector

WEEK = days(7)


def test_rows_without_a_label_are_called_normal_and_labels_stay():
    frame = make_telemetry(7)
    of_a = (frame["pump"] == "a").to_numpy()
    labelled = frame.assign(**{LABEL_COLUMN: np.where(of_a, INCIDENT, NO_VERDICT)})
    said = CaseSpan("c", "episode", None, None, moment(WEEK[2]), moment(WEEK[3]), None, None)

    verdict = called_normal(labelled, make_spec().columns, (said,))[LABEL_COLUMN].to_numpy()

    inside = frame["timestamp"].between(moment(WEEK[2]), moment(WEEK[3])).to_numpy()
    assert set(verdict[inside & ~of_a]) == {NORMAL}
    assert set(verdict[of_a]) == {INCIDENT}
    assert set(verdict[~inside & ~of_a]) == {NO_VERDICT}


@pytest.mark.parametrize(("answer", "called"), [("normal from now on", 13), ("was a fault", 0)])
def test_the_rows_of_an_answered_case_count_as_labelled_normal(here, answer, called):
    put_detector(here)
    settle_cases(here, "pumps", {FIRST: facts(flags(stretch(0, 6, 18)))})
    (case,) = cases_after(here, "pumps", FIRST)
    answer_case(here, "pumps", case.id, answer, Author("ann", moment(FIRST, 23)), "why")
    read = window(make_telemetry(3, first_day=FIRST))

    marked = with_accepted_rows(here, make_spec(), read).frame

    assert (marked.get(LABEL_COLUMN, np.zeros(0)) == NORMAL).sum() == called


def test_an_answer_of_later_is_not_known_yet(here):
    put_detector(here)
    settle_cases(here, "pumps", {FIRST: facts(flags(stretch(0, 6, 18)))})
    (case,) = cases_after(here, "pumps", FIRST)
    late = Author("ann", moment(FIRST + timedelta(days=5)))
    answer_case(here, "pumps", case.id, "normal from now on", late, "why")
    read = window(make_telemetry(3, first_day=FIRST))

    assert with_accepted_rows(here, make_spec(), read) is read


def window(frame) -> TrainingWindow:
    last = FIRST + timedelta(days=2)
    as_of: date = last + timedelta(days=1)
    manifest = WindowManifest("t", 1, as_of, FIRST, last, 3, len(frame), {}, len(frame))
    return TrainingWindow(frame, manifest)
