"""What people said of cases, and what it makes of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.cases import (
    accepted_spans,
    answers_in_force,
    newest_doubling,
    open_cases,
    unaccepted_spans,
    unanswered_since,
)
from pipeline.cases.answers import answers_of_decisions
from pipeline.cases.records import Departure
from pipeline.data.decision import ChannelDecision
from pipeline.errors import DataError
from tests.cases.made import FIRST, FLOW, answer, at, case

FOR_EVER = at(4000)


def still(record, *answers, as_of=FOR_EVER):
    return bool(open_cases([record], answers, as_of))


def test_a_case_is_open_until_it_returns_or_is_answered():
    assert still(case())
    assert not still(case(returned=FIRST))
    assert not still(case(told=False))
    assert not still(case(), answer())
    assert still(case(), answer(), as_of=at(3, 23))


def test_normal_from_now_on_closes_a_case_for_as_long_as_it_lasts():
    assert not still(case(last_row=at(300)), answer())


def spans(record, *answers):
    """First row, last row and answer of each span, by start."""
    found = (
        *accepted_spans([record], answers, FOR_EVER),
        *unaccepted_spans([record], answers, FOR_EVER),
    )
    return sorted((each.start, each.end, each.answer) for each in found)


JUST_BEFORE = timedelta(microseconds=1)
NORMAL = "normal from now on"


def test_what_was_called_normal_is_open_again_where_it_goes_on_anew():
    anew = case(last_row=at(9), resumed=(at(2), at(6), at(8)))
    (again,) = open_cases([anew], [answer()], FOR_EVER)

    assert again.why == (
        "flow stays outside its training range. "
        "It went on anew on 2024-05-07, after ann called it normal."
    )
    assert not still(replace(anew, resumed=(at(2), at(3))), answer())
    assert not still(replace(anew, returned=FIRST), answer())


def test_the_data_say_what_came_after_an_answer_and_not_the_clock():
    backfill = answer(created_at=at(900))

    assert still(case(last_row=at(9), resumed=(at(6),)), backfill)


def test_rows_since_a_case_went_on_anew_are_not_called_normal():
    anew = case(last_row=at(9), resumed=(at(6), at(8)))

    before, after = (at(0, 8), at(6) - JUST_BEFORE, NORMAL), (at(6), at(9), None)
    assert spans(anew, answer()) == [before, after]
    assert spans(replace(anew, returned=FIRST), answer()) == [before, after]
    assert spans(anew, answer("was a fault")) == [(at(0, 8), at(9), "was a fault")]


def test_an_answer_about_what_went_on_anew_leaves_the_one_before_in_place():
    anew = case(last_row=at(9), resumed=(at(6), at(8)))
    fault = answer("was a fault", start=at(6), end=at(9), created_at=at(10))
    first = (at(0, 8), at(6) - JUST_BEFORE, NORMAL)

    assert not still(anew, answer(), fault)
    assert spans(anew, answer(), fault) == [first, (at(6), at(9), "was a fault")]
    assert not still(anew, answer(), replace(fault, answer=NORMAL))
    assert spans(anew, answer(), replace(fault, answer=NORMAL, end=at(7))) == [
        first,
        (at(6), at(8) - JUST_BEFORE, NORMAL),
        (at(8), at(9), None),
    ]


def outgrown(*values, **changed):
    """A case whose flow was first so far out on days in a row; its range is 0 to 10."""
    first = tuple(Departure(at(day, 8), value) for day, value in enumerate(values))
    return case(ranges=(FLOW,), departures=first, last_row=at(len(values), 8), **changed)


def test_what_was_called_normal_is_open_again_where_it_has_doubled_since():
    said = answer(end=at(2, 23))

    assert not still(outgrown(15, 18, 20, 26, 28.5), said)
    record = outgrown(15, 18, 20, 26, 30, 35)
    (again,) = open_cases([record], [said], FOR_EVER)
    assert again.why == (
        "flow stays outside its training range. "
        "Since 2024-05-05 it is 2.0 times as far outside as when ann called it normal."
    )
    assert spans(record, said) == [
        (at(0, 8), at(4, 8) - JUST_BEFORE, NORMAL),
        (at(4, 8), at(6, 8), None),
    ]
    assert not still(replace(record, returned=FIRST), said)


def test_what_was_called_normal_at_one_end_is_open_again_at_the_other():
    (again,) = open_cases([outgrown(15, 18, -11)], [answer(end=at(1, 23))], FOR_EVER)

    assert again.why.endswith(
        "Since 2024-05-03 it is below that range and not above it, where ann called it normal."
    )
    assert not still(outgrown(15, 18, -9), answer(end=at(1, 23)))


def test_growth_that_was_answered_for_itself_is_accepted_as_far_as_it_went():
    first = answer(end=at(1, 23))
    second = answer(start=at(2, 8), end=at(3, 23), created_at=at(5))

    assert still(outgrown(15, 18, 27), first)
    assert not still(outgrown(15, 18, 27, 40, 66), first, second)
    assert still(outgrown(15, 18, 27, 40, 71), first, second)


def test_the_earlier_of_growth_and_going_on_anew_opens_a_case_again():
    record = outgrown(15, 18, 40, resumed=(at(5),))

    assert unanswered_since(record, [answer(end=at(1, 23))]) == at(2, 8)
    assert unanswered_since(replace(record, resumed=(at(2),)), [answer(end=at(1, 23))]) == at(2)


def test_growth_after_a_fault_was_answered_is_growth_of_what_was_told():
    record, said = outgrown(15, 18, 40), answer("was a fault", end=at(1, 23))

    assert newest_doubling(record, [said], FOR_EVER).times == 6
    assert newest_doubling(record, [answer(end=at(1, 23))], FOR_EVER).times == 3.75
    assert newest_doubling(record, [answer(end=at(1, 23))], at(3)).times == 6
    assert newest_doubling(record, [answer(end=at(2, 23))], FOR_EVER) is None


def test_an_answer_about_an_episode_is_none_about_the_next_one():
    first = case(kind="episode", channels=(), returned=FIRST)
    later = case(id="dead", kind="episode", channels=(), start=at(6), last_row=at(9))
    said = answer(kind="episode", channel=None)

    assert open_cases([first, later], [said], FOR_EVER) == (later,)
    assert spans(later, said) == [(at(6), at(9), None)]


def test_a_fault_that_goes_on_after_the_answer_is_open_again():
    assert not still(case(), answer("was a fault"))
    (again,) = open_cases([case(last_row=at(4, 1))], [answer("was a fault")], FOR_EVER)

    assert "goes on after ann called it a fault" in again.why


def test_an_undo_takes_the_newest_answer_back():
    fault, undo = answer("was a fault"), answer("undo", created_at=at(5))

    assert still(case(), fault, undo)
    assert not still(case(), fault, undo, as_of=at(4, 12))
    assert not still(case(), fault, undo, answer(created_at=at(6)))
    assert answers_in_force([undo, fault], FOR_EVER) == ()


def test_an_answer_finds_its_case_after_late_rows_gave_it_another_start():
    moved = case(id="beef", start=at(0, 2))

    assert not still(moved, answer())


@pytest.mark.parametrize(
    "other",
    [
        case(machines=("b",)),
        case(channels=("heat",)),
        case(kind="episode"),
        case(start=at(3, 1), last_row=at(9)),
    ],
)
def test_an_answer_is_about_no_other_case(other):
    assert still(other, answer())


def test_who_accepts_a_channel_has_answered_about_its_shift():
    accept = ChannelDecision("flow", None, "accept", at(2), "", "ann", at(4))
    mute = replace(accept, decision="mute", created_at=at(5))

    assert not still(case(), *answers_of_decisions([accept], FOR_EVER))
    assert not still(case(machines=("b",)), *answers_of_decisions([accept], FOR_EVER))
    assert still(case(channels=("heat",)), *answers_of_decisions([accept], FOR_EVER))
    assert answers_of_decisions([mute], FOR_EVER) == ()
    assert answers_of_decisions([mute, accept], FOR_EVER) == ()


def test_training_may_learn_what_was_called_normal_and_nothing_else():
    shift, episode = case(), case(id="dead", kind="episode", channels=(), returned=FIRST)
    told = [shift, episode]

    (accepted,) = accepted_spans(told, [answer()], FOR_EVER)
    (left,) = unaccepted_spans(told, [answer()], FOR_EVER)

    assert (accepted.case, accepted.entity, accepted.channels) == ("c0ffee", "a", ("flow",))
    assert (accepted.start, accepted.end, accepted.answered_at) == (at(0, 8), at(3), at(4))
    assert (left.case, left.channels, left.answer) == ("dead", None, None)
    assert len(unaccepted_spans(told, [answer("was a fault")], FOR_EVER)) == 2
    assert accepted_spans([case(told=False)], [answer()], FOR_EVER) == ()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"answer": "fine"}, "answer 'fine' is unknown"),
        ({"author": " "}, "the author is empty"),
        ({"note": ""}, "the reason is empty"),
        ({"end": at(1).replace(tzinfo=None)}, "has no time zone"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(wrong, says):
    with pytest.raises(DataError, match=says):
        answer(**wrong)
