"""Answers about cases: what they record, and what an undo takes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.cases import ChannelRange, SeenDegradation
from pipeline.data.label import labels_in_force
from pipeline.data.label_request import Author
from pipeline.errors import DataError
from pipeline.steps.case_answering import answer_case, listed, undo_answer
from pipeline.store.case_answers import case_answers_as_of
from pipeline.store.cases import cases_after, settle_cases, state_degradation
from pipeline.store.labels import Label, add_labels, labels_as_of
from tests.cases.made import FIRST, at, facts, far, shift, stretch
from tests.steps.asked import put_detector

ANN, BOB = Author("ann", at(9)), Author("bob", at(10))
FAR = at(4000)


@pytest.fixture
def pumps(here):
    put_detector(here)
    return here


def labels(here):
    return [
        (each.entity, each.start, each.end)
        for each in labels_in_force(labels_as_of(here, "pumps", FAR))
    ]


def still_open(here, now=FAR):
    return [each.case.id for each in listed(here, "pumps", day=None, now=now, closed=False)]


def out(*numbers):
    return {FIRST + timedelta(days=n): facts(shift(stretch(n, 0, 23))) for n in numbers}


def only(here):
    (case,) = cases_after(here, "pumps", FIRST + timedelta(days=999))
    return case.id


def test_a_degradation_is_answered_for_the_detector_and_labelled_on_its_machines(pumps):
    said = SeenDegradation(FIRST, ("a", "b"), ("flow",), "Scores rose by 40 %.")
    state_degradation(pumps, "pumps", said)
    state_degradation(pumps, "pumps", replace(said, day=FIRST + timedelta(days=3)))
    name = only(pumps)

    _, answer = answer_case(pumps, "pumps", name, "was a fault", ANN, "a worn bearing")

    assert (answer.entity, answer.channel) == (None, None)
    end = at(4) - timedelta(microseconds=1)
    assert labels(pumps) == [("a", at(0), end), ("b", at(0), end)]
    assert still_open(pumps) == []
    undo_answer(pumps, "pumps", name, BOB, "it was the season")
    assert labels(pumps) == []
    assert still_open(pumps) == [name]


def test_an_undo_leaves_the_labels_of_others_alone(pumps):
    settle_cases(pumps, "pumps", out(0))
    ours = Label(at(0), at(0, 23), "a", "incident", "", "eve", at(5))
    add_labels(pumps, "pumps", [ours])

    answer_case(pumps, "pumps", only(pumps), "was a fault", ANN, "a leak")
    undo_answer(pumps, "pumps", only(pumps), BOB, "no leak")

    assert labels(pumps) == [("a", at(0), at(0, 23))]


def test_a_fault_that_goes_on_is_answered_once_more(pumps):
    settle_cases(pumps, "pumps", out(0, 1))
    name = only(pumps)
    answer_case(pumps, "pumps", name, "was a fault", ANN, "a leak")
    settle_cases(pumps, "pumps", out(*range(2, 12)))
    assert still_open(pumps) == [name]

    later = Author("ann", at(13))
    answer_case(pumps, "pumps", name, "normal from now on", later, "the new pipe")

    assert still_open(pumps) == []
    undo_answer(pumps, "pumps", name, Author("ann", at(14)), "not new")
    assert still_open(pumps) == [name]
    assert [each.answer for each in case_answers_as_of(pumps, "pumps", FAR)] == [
        "was a fault", "normal from now on", "undo",
    ]  # fmt: skip


WIDER = ChannelRange("flow", 0.0, 40.0, 0.8)


def trained_on_it(number, *stretches):
    """A day by a version that was trained on the first day."""
    tracks = (shift(*stretches),) if stretches else ()
    return {FIRST + timedelta(days=number): facts(*tracks, ranges=(WIDER,))}


@pytest.mark.parametrize("what", ["was a fault", "normal from now on"])
def test_what_went_on_anew_is_answered_for_itself(pumps, what):
    settle_cases(pumps, "pumps", out(0))
    name = only(pumps)
    answer_case(pumps, "pumps", name, "normal from now on", ANN, "new pipe")
    settle_cases(pumps, "pumps", trained_on_it(1))
    with pytest.raises(DataError, match="was answered"):
        answer_case(pumps, "pumps", name, what, BOB, "a leak")
    settle_cases(pumps, "pumps", trained_on_it(2, stretch(2, 5, 23)))
    assert still_open(pumps) == [name]

    _, made = answer_case(pumps, "pumps", name, what, BOB, "a leak")

    assert (made.start, made.end) == (at(2, 5), at(2, 23))
    assert still_open(pumps) == []
    assert labels(pumps) == ([("a", at(2, 5), at(2, 23))] if what == "was a fault" else [])
    undo_answer(pumps, "pumps", name, Author("bob", at(11)), "no leak")
    assert (still_open(pumps), labels(pumps)) == ([name], [])
    (listed_again,) = listed(pumps, "pumps", day=None, now=FAR, closed=False)
    assert (listed_again.is_open, listed_again.answer.author) == (True, "ann")


def test_growth_after_an_answer_is_answered_for_itself(pumps):
    def stays(*numbers, value):
        days = {n: facts(shift(far(n, value))) for n in numbers}
        settle_cases(pumps, "pumps", {FIRST + timedelta(days=n): each for n, each in days.items()})

    stays(0, 1, value=15)
    name = only(pumps)
    answer_case(pumps, "pumps", name, "normal from now on", ANN, "new pipe")
    stays(2, 3, value=19)
    assert still_open(pumps) == []
    stays(4, 5, value=25)

    (grew,) = listed(pumps, "pumps", day=None, now=FAR, closed=False)
    assert grew.case.why.endswith("it is 3.0 times as far outside as when ann called it normal.")
    _, made = answer_case(pumps, "pumps", name, "normal from now on", BOB, "a newer pipe")
    assert (made.start, made.end) == (at(4), at(5, 23))
    stays(6, value=39)
    assert still_open(pumps) == []
    stays(7, value=41)
    assert still_open(pumps) == [name]
    undo_answer(pumps, "pumps", name, Author("bob", at(11)), "not new")
    (grew,) = listed(pumps, "pumps", day=None, now=FAR, closed=False)
    assert "Since 2024-05-05 it is 3.0 times as far" in grew.case.why


def test_a_case_that_has_returned_can_be_answered_all_the_same(pumps):
    settle_cases(pumps, "pumps", {**out(0), FIRST + timedelta(days=1): facts()})
    (before,) = listed(pumps, "pumps", day=None, now=FAR, closed=True)

    answer_case(pumps, "pumps", before.case.id, "was a fault", ANN, "a leak")

    (after,) = listed(pumps, "pumps", day=None, now=FAR, closed=True)
    assert (before.is_open, before.answer) == (False, None)
    assert after.answer is not None
    assert labels(pumps) == [("a", at(0), at(0, 23))]


def test_what_is_refused_records_nothing(pumps):
    settle_cases(pumps, "pumps", out(0))

    for name, reason in (("nope", "a leak"), (only(pumps), " ")):
        with pytest.raises(DataError):
            answer_case(pumps, "pumps", name, "was a fault", ANN, reason)

    assert labels(pumps) == []
    assert case_answers_as_of(pumps, "pumps", FAR) == ()


def test_as_of_a_day_only_what_was_said_by_then_counts(pumps):
    settle_cases(pumps, "pumps", out(0))
    answer_case(pumps, "pumps", only(pumps), "normal from now on", ANN, "new pipe")

    def on(number):
        day = FIRST + timedelta(days=number)
        return len(listed(pumps, "pumps", day=day, now=FAR, closed=False))

    assert [on(n) for n in (-1, 0, 8, 9)] == [0, 1, 1, 0]
