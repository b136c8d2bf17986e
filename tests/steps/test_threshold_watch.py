"""A broken threshold as the tables have it: since when, and what is known of its cause."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline import settings
from pipeline.steps import threshold_watch
from pipeline.steps.candidate import detector_named
from pipeline.steps.threshold_watch import broken_threshold
from pipeline.store.cases import settle_cases
from tests.cases.made import FIRST, facts, shift, stretch
from tests.steps.flagged_days import put_flags, put_threshold

NAME = "la_haute_borne"
NOW = datetime(2014, 6, 1, tzinfo=UTC)
CALM = [date(2014, 4, 10) + timedelta(days=n) for n in range(10)]
BROKEN = [date(2014, 4, 20) + timedelta(days=n) for n in range(4)]


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Ten days as promised, by version 3."""
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path))
    made = settings.load()
    put_threshold(made, NAME)
    put_flags(made, NAME, CALM, 0.0)
    return made


def after(here, day):
    return broken_threshold(here, detector_named(here, NAME), day, now=NOW)


def test_a_threshold_holds_while_the_share_is_as_promised(here):
    assert after(here, CALM[-1]) is None


def test_it_is_told_on_its_first_day_with_what_carries_it(here):
    put_flags(here, NAME, BROKEN[:1], 0.5, from_row=60)  # from 10:00

    found = after(here, BROKEN[0])

    assert found.since == datetime(2014, 4, 20, 10, tzinfo=UTC)
    assert (found.version, found.promised) == (3, 0.01)
    assert found.share > found.most
    assert found.channels == (("power", 1.0),)


def test_the_same_beginning_is_told_however_long_it_lasts_and_in_any_order(here):
    put_flags(here, NAME, BROKEN[::-1], 0.5)

    ids = [after(here, day).id for day in BROKEN]

    assert set(ids) == {"threshold of version 3 since 2014-04-20T00:00"}
    assert after(here, CALM[-1]) is None


def test_a_long_time_is_followed_to_its_beginning(here):
    months = [date(2014, 4, 20) + timedelta(days=n) for n in range(60)]
    put_flags(here, NAME, months, 0.5)

    assert after(here, months[-1]).since.date() == months[0]


def test_it_ends_two_days_after_the_last_share_outside(here):
    put_flags(here, NAME, BROKEN, 0.5)
    after_it = [BROKEN[-1] + timedelta(days=n) for n in range(1, 5)]
    put_flags(here, NAME, after_it, 0.0)

    assert [after(here, day) is not None for day in after_it] == [True, True, False, False]


def test_the_rows_of_another_version_are_no_evidence(here):
    put_flags(here, NAME, BROKEN, 0.5)
    put_threshold(here, NAME, version=4)
    put_flags(here, NAME, [date(2014, 4, 24)], 0.0, version=4)

    assert after(here, date(2014, 4, 24)) is None
    assert after(here, BROKEN[-1]).version == 3


def test_a_fresh_version_is_judged_by_its_own_rows_from_the_first_day(here):
    put_threshold(here, NAME, version=4, window_last=date(2014, 4, 19))
    put_flags(here, NAME, BROKEN[:1], 0.5, version=4)

    found = after(here, BROKEN[0])

    assert found.version == 4
    assert found.causes.fresh
    assert "version 4 has served only 1 scored day;" in found.because


def test_a_threshold_that_is_not_on_record_is_not_judged(here):
    put_flags(here, NAME, BROKEN, 0.5, version=9)

    assert after(here, BROKEN[-1]) is None


def test_one_machine_that_fails_for_days_breaks_no_threshold(here):
    machines = ("R80711", "R80721", "R80736")
    put_flags(here, NAME, CALM, 0.0, machines=machines)
    put_flags(here, NAME, BROKEN, 0.0, machines=machines, failing=machines[:1])
    assert after(here, BROKEN[-1]) is None

    put_flags(here, NAME, BROKEN, 0.0, machines=machines, failing=machines[:2])
    assert after(here, BROKEN[-1]) is not None


def test_what_is_known_of_the_cause_is_named(here):
    put_threshold(here, NAME, version=4, n_effective=60)
    put_flags(here, NAME, BROKEN, 1.0, version=4)
    day = BROKEN[-1]
    case = facts(shift(stretch((day - FIRST).days, 0, 23), machine="R80711"))
    settle_cases(here, NAME, {day: case})

    found = after(here, day)

    assert "open: shift of R80711 (flow) since 2014-04-23" in found.because
    assert "channels that carry the flags: power 100%" in found.because
    assert "it rests on 60 of 100 independent rows" in found.because
    assert "estimated on 2014-02-01 to 2014-04-01 and knows no other season" in found.because
    assert found.remedy == "answer"
    assert replace(found, causes=replace(found.causes, cases=())).remedy == "recalibrate"


def test_what_began_before_the_rows_that_are_read_is_said_to_be_older(here, monkeypatch):
    months = [date(2014, 4, 20) + timedelta(days=n) for n in range(60)]
    put_flags(here, NAME, months, 0.5)
    monkeypatch.setattr(threshold_watch, "_MOST_ROWS", 50 * 144)

    found = after(here, months[-1])

    assert found.earlier
    assert found.beginning == f"before {found.since:%Y-%m-%d %H:%M} UTC"
    assert months[12] <= found.since.date() <= months[20]  # of the newest 48 days
    assert not after(here, months[30]).earlier


def test_reading_goes_no_further_back_than_it_needs(here, monkeypatch):
    asked = []
    read = threshold_watch.champion_scores

    def counted(*arguments, first=None, **more):
        asked.append((BROKEN[0] - first).days)
        return read(*arguments, first=first, **more)

    monkeypatch.setattr(threshold_watch, "champion_scores", counted)
    put_flags(here, NAME, BROKEN[:1], 0.0)

    assert after(here, BROKEN[0]) is None
    assert asked == [11]
