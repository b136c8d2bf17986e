"""Cases from day to day: what opens one, what extends it, and what alone closes it."""

from dataclasses import replace
from datetime import timedelta

from pipeline.cases import NOTHING, CaseState, ChannelRange, SeenDegradation, fold
from pipeline.cases.records import Track
from tests.cases.made import FIRST, FLOW, after, at, facts, flags, grown, shift, stretch, told

QUIET = facts()
WIDER = ChannelRange("flow", 0.0, 40.0, 0.8)  # trained on the shift


def test_a_channel_that_stays_out_of_range_is_one_case_from_its_first_row_on():
    brief = shift(stretch(0, 20, 23, opens=False))
    (case,) = told(facts(brief), facts(shift(stretch(1, 0, 23))))

    assert (case.kind, case.machines, case.channels) == ("shift", ("a",), ("flow",))
    assert (case.start, case.last_row, case.rows) == (at(0, 20), at(1, 23), 28)
    assert case.why == "flow stays outside its training range, 0 to 10."


def test_what_was_out_only_briefly_is_no_case():
    state, returned = after(facts(shift(stretch(0, 3, 5, opens=False))), QUIET)

    assert (state.cases, returned) == ((), [])


def test_a_case_closes_when_the_raw_values_were_back_for_as_long_as_asked():
    out = facts(shift(stretch(0, 0, 10)))
    (still,) = told(out)
    _, returned = after(out, QUIET)

    assert still.quiet == 13
    assert [(case.last_row, case.returned) for case in returned] == [
        (at(0, 10), FIRST + timedelta(days=1))
    ]


def test_what_is_out_by_day_and_back_by_night_stays_one_case():
    days = [facts(shift(stretch(day, 8, 18))) for day in range(6)]
    (case,) = told(*days)

    assert (case.start, case.last_row) == (at(0, 8), at(5, 18))


def test_a_machine_that_sends_nothing_closes_no_case():
    out = facts(shift(stretch(0, 0, 23)))

    (case,) = told(out, NOTHING, facts(rows=0), facts(machines=("b",)), NOTHING)

    assert (case.last_row, case.quiet) == (at(0, 23), 0)


def test_rows_without_the_channel_do_not_show_that_it_has_returned():
    out, blind = facts(shift(stretch(0, 0, 23))), facts(shift(rows=0))

    assert told(out, blind, blind)
    assert not told(out, blind, QUIET)


def test_a_version_that_was_trained_on_the_shift_does_not_close_it():
    out = facts(shift(stretch(0, 0, 23)))
    wider = facts(ranges=(ChannelRange("flow", 0.0, 40.0, 0.8),))
    alike = facts(ranges=(ChannelRange("flow", 0.1, 10.1, 0.2),))
    without = facts(ranges=())

    assert told(out, wider, wider)
    assert told(out, without, without)
    assert not told(out, alike)


def measured(low, high, **changed):
    """A calm day by a version that was trained on the shift; all but a hundredth lies between."""
    return facts(ranges=(WIDER,), between=(low, high), **changed)


def test_values_that_are_back_close_the_case_whatever_the_version_was_trained_on():
    out = facts(shift(stretch(0, 0, 23)))
    _, returned = after(out, measured(25, 31), measured(0.4, 10.1))

    assert [case.returned for case in returned] == [FIRST + timedelta(days=2)]
    assert told(out, measured(25, 31), measured(0.4, 10.3))
    assert told(out, measured(25, 31), measured(-0.3, 9))
    assert told(out, measured(None, None), facts(ranges=(WIDER,)))


def test_values_that_were_out_in_between_are_not_back_on_end():
    out, half = facts(shift(stretch(0, 0, 23))), measured(1, 9, rows=12)

    assert not told(out, half, half)
    assert told(out, half, measured(1, 30, rows=12), half)


def test_values_of_another_machine_or_channel_close_no_case():
    out = facts(shift(stretch(0, 0, 23), machine="b"), machines=("a", "b"))
    heat = replace(WIDER, channel="heat")
    both = facts(machines=("a", "b"), ranges=(heat, WIDER), between=(1, 9, 1, 30))

    assert told(out, both)
    assert told(out, facts(machines=("a",), ranges=(WIDER,), between=(1, 9)))
    assert not told(out, replace(both, ranges=(WIDER, heat)))


def test_a_regime_has_returned_when_all_its_channels_have():
    ranges = tuple(replace(FLOW, channel=name) for name in ("flow", "heat"))
    wider = tuple(replace(WIDER, channel=each.channel) for each in ranges)
    out = Track("regime", "a", "", 24, (stretch(0, 0, 23, channels=("flow", "heat")),))
    left = facts(out, ranges=ranges)

    assert told(left, facts(ranges=wider, between=(1, 9, 1, 30)))
    assert not told(left, facts(ranges=wider, between=(1, 9, 1, 9)))


def test_a_case_says_how_far_its_channel_has_gone():
    (case,) = told(*grown(15, 15, 39, 38))

    assert case.why == (
        "flow stays outside its training range, 0 to 10. Since 2024-05-03 it is 5.8 times as far "
        "outside as when it was told, at 39."
    )


CALM = facts(ranges=(WIDER,))


def out_of_wider(*stretches):
    return facts(shift(*stretches), ranges=(WIDER,))


def test_a_case_goes_on_anew_after_calm_rows_of_a_version_that_was_trained_on_it():
    (case,) = told(facts(shift(stretch(0, 0, 23))), CALM, out_of_wider(stretch(2, 5, 23)), CALM)

    assert (case.start, case.last_row, case.resumed) == (at(0), at(2, 23), (at(2, 5),))
    assert (case.calm, case.quiet) == (24, 0)


def test_each_time_that_a_case_goes_on_anew_is_remembered():
    again = [CALM, out_of_wider(stretch(2, 5, 23)), CALM, out_of_wider(stretch(4, 1, 9))]
    (case,) = told(facts(shift(stretch(0, 0, 23))), *again)

    assert case.resumed == (at(2, 5), at(4, 1))


def test_a_case_that_was_calm_for_less_than_asked_goes_on():
    days = [out_of_wider(stretch(day, 8, 18)) for day in range(1, 5)]
    (case,) = told(facts(shift(stretch(0, 8, 18))), *days)

    assert (case.last_row, case.resumed) == (at(4, 18), ())


def test_a_brief_departure_after_calm_rows_is_no_reason_to_go_on_anew():
    brief = out_of_wider(stretch(2, 20, 23, opens=False))
    first = (facts(shift(stretch(0, 0, 23))), CALM, brief)
    (passed,) = told(*first, CALM)
    (lasting,) = told(*first, out_of_wider(stretch(3, 0, 9)))
    (other,) = told(*first, CALM, out_of_wider(stretch(4, 0, 9)))

    assert passed.resumed == ()
    assert lasting.resumed == (at(2, 20),)
    assert other.resumed == (at(4, 0),)


def test_a_version_without_the_channel_shows_no_calm_row():
    blind = facts(ranges=())
    (case,) = told(facts(shift(stretch(0, 0, 23))), blind, out_of_wider(stretch(2, 0, 9)))

    assert (case.last_row, case.resumed) == (at(2, 9), ())


def test_an_episode_after_calm_rows_is_another_case_whatever_the_version():
    state, returned = after(
        facts(flags(stretch(0, 0, 23))), CALM, facts(flags(stretch(2, 5, 23)), ranges=(WIDER,))
    )

    (old,), (new,) = returned, state.cases
    assert (old.start, old.last_row) == (at(0), at(0, 23))
    assert (new.start, new.resumed) == (at(2, 5), ())


def test_after_its_return_a_channel_that_leaves_again_is_another_case():
    state, returned = after(facts(shift(stretch(0, 0, 5))), facts(shift(stretch(1, 20, 23))))

    (old,), (new,) = returned, state.cases
    assert old.id != new.id
    assert (old.start, new.start) == (at(0, 0), at(1, 20))


def test_the_id_stays_what_it_is_where_late_rows_move_the_start_a_little():
    (one,) = told(facts(shift(stretch(0, 9, 23))))
    (other,) = told(facts(shift(stretch(0, 10, 23))))

    assert one.start != other.start
    assert one.id == other.id


def test_flags_for_longer_than_clusters_of_normal_rows_are_an_episode():
    (case,) = told(facts(flags(stretch(0, 13, 17))))

    assert (case.kind, case.start, case.last_row, case.rows) == ("episode", at(0, 13), at(0, 17), 5)
    assert "longer than the 4 rows" in case.why
    assert not told(facts(flags(stretch(0, 20, 23))))


def test_an_episode_over_midnight_is_measured_whole():
    (case,) = told(facts(flags(stretch(0, 21, 23))), facts(flags(stretch(1, 0, 2)), rows=12))

    assert (case.start, case.last_row, case.rows) == (at(0, 21), at(1, 2), 6)
    assert not told(facts(flags(stretch(0, 21, 23))), facts(flags(stretch(1, 4, 6)), rows=12))


def test_an_episode_that_was_told_before_midnight_goes_on_after_it():
    (case,) = told(facts(flags(stretch(0, 10, 23))), facts(flags(stretch(1, 0, 2)), rows=12))

    assert (case.start, case.last_row, case.rows) == (at(0, 10), at(1, 2), 17)


def test_isolated_flags_neither_open_an_episode_nor_keep_it_open():
    isolated = facts(flags(stretch(1, 0, 0), stretch(1, 23, 23)))
    state, returned = after(facts(flags(stretch(0, 0, 9))), isolated)

    assert state.cases == ()
    assert [case.last_row for case in returned] == [at(0, 9)]


def test_muting_neither_closes_an_episode_nor_opens_one():
    lasts = flags(stretch(1, 0, 23), as_scored=())
    (case,) = told(facts(flags(stretch(0, 12, 23))), facts(lasts))

    assert case.last_row == at(1, 23)
    assert not told(facts(flags(stretch(0, 0, 23), as_scored=())))


def test_a_regime_names_the_channels_that_left():
    out = Track("regime", "a", "", 24, (stretch(0, 2, 9, channels=("flow", "heat", "load")),))
    (case,) = told(facts(out))

    assert (case.kind, case.channels) == ("regime", ("flow", "heat", "load"))
    assert case.why == "3 channels left their training range together: flow, heat, load."


def test_a_degradation_stays_open_until_its_watch_says_that_it_has_returned():
    since = FIRST - timedelta(days=30)
    said = SeenDegradation(FIRST, ("a",), ("flow",), "Scores rose by 40 %.", since=since)
    state, _ = fold(CaseState(), FIRST, QUIET, (said,))
    more = replace(said, day=FIRST + timedelta(days=1), channels=("heat",))
    state, _ = fold(state, more.day, QUIET, (more,))
    quiet, _ = fold(state, FIRST + timedelta(days=9), QUIET)
    back = SeenDegradation(FIRST + timedelta(days=9), (), (), "", returned=True)
    closed, returned = fold(state, back.day, QUIET, (back,))

    (case,) = quiet.cases
    assert (case.kind, case.channels, case.start) == ("degradation", ("flow", "heat"), at(-30))
    assert closed.cases == ()
    assert [each.returned for each in returned] == [back.day]


def test_growth_since_an_accepted_state_is_another_case_than_growth_before_it():
    said = SeenDegradation(FIRST, (), (), "Scores rose by 40 %.")
    state, _ = fold(CaseState(), FIRST, QUIET, (said,))
    day = FIRST + timedelta(days=60)
    accepted = FIRST + timedelta(days=30)
    again = SeenDegradation(
        day, (), (), "They rose again.", since=day - timedelta(days=9), accepted=accepted
    )
    state, ended = fold(state, day, QUIET, (again,))
    later = replace(again, day=day + timedelta(days=1))
    state, none = fold(state, later.day, QUIET, (later,))

    (case,) = state.cases
    assert (case.start, case.why) == (at(51), "They rose again.")
    assert [(each.start, each.returned) for each in ended] == [(at(0), day)]
    assert none == ()


def test_machines_and_channels_have_cases_of_their_own():
    both = facts(
        shift(stretch(0, 0, 23)),
        shift(stretch(0, 0, 23), machine="b"),
        shift(stretch(0, 0, 23), channel="heat"),
        machines=("a", "b"),
        ranges=(FLOW, replace(FLOW, channel="heat")),
    )

    assert len({case.id for case in told(both)}) == 3
