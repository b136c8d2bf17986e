"""People's decisions about a channel that left its training range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline import settings, tables
from pipeline.data.label_request import Author
from pipeline.errors import DataError
from pipeline.steps.channel_decision import plan_rescore, record_decision
from pipeline.steps.scoring import score_days
from pipeline.store.decisions import decisions_as_of
from pipeline.tables import Table
from tests.builders import days, moment
from tests.steps.asked import put_detector

NOW = datetime(2024, 1, 2, 9, tzinfo=UTC)
ANN = Author("ann", NOW)
TODAY = days(2)[1]


@pytest.fixture
def pumps(here):
    put_detector(here, n_days=1)
    return here


def decisions(here, at=NOW):
    return decisions_as_of(here, "pumps", at)


def test_a_decision_counts_from_the_start_of_today_by_default(pumps):
    recorded = record_decision(settings.load(), "pumps", "flow", "mute", ANN, note="loose")

    (made,) = decisions(pumps)
    assert (made.channel, made.entity, made.decision) == ("flow", None, "mute")
    assert (made.since, made.author, made.created_at) == (moment(TODAY), "ann", NOW)
    assert recorded["new"]


def test_a_decision_may_be_about_one_machine_and_another_time(pumps):
    record_decision(
        settings.load(), "pumps", "flow", "accept", ANN, entity="b", since="2024-01-01T12:00Z"
    )

    (made,) = decisions(pumps)
    assert (made.entity, made.since) == ("b", moment(days(1)[0], 12))


@pytest.mark.parametrize("dag", ["pumps__channel", "pumps__feature"])  # as it was called before
def test_a_run_that_is_repeated_decides_nothing_again(pumps, dag):
    record_decision(settings.load(), "pumps", "flow", "mute", Author("ann", NOW, f"{dag}/r1"))
    later = NOW + timedelta(hours=1)

    again = record_decision(
        settings.load(), "pumps", "flow", "mute", Author("ann", later, f"{dag}/r1")
    )

    assert not again["new"]
    assert len(decisions(pumps, later)) == 1


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"channel": "flw"}, "no channel 'flw'; choose from angle, flow, pressure"),
        ({"entity": "z"}, "no machine 'z'; choose from a, b, c"),
        ({"since": "soon"}, "since 'soon' is not a time; write"),
    ],
)
def test_invalid_input_is_refused_and_nothing_is_recorded(pumps, about, message):
    said = {"channel": "flow", **about}

    with pytest.raises(DataError, match=message):
        record_decision(settings.load(), "pumps", said.pop("channel"), "mute", ANN, **said)

    assert decisions(pumps) == ()


def test_the_days_since_a_decision_are_scored_again(filled):
    score_days(settings.load(), "pumps", [str(day) for day in days(4)], run="r0")
    before = tables.read(Table(filled.here.storage, "pumps", "scores"), keep_date=True)
    day = sorted(set(before["date"]))[1]

    recorded = record_decision(settings.load(), "pumps", "flow", "mute", ANN, since=day.isoformat())
    (group,) = plan_rescore(settings.load(), recorded)
    rescored = score_days(settings.load(), "pumps", group, run="r1")

    after = tables.read(Table(filled.here.storage, "pumps", "scores"), keep_date=True)
    muted = set(after[after["muted"].str.contains("flow")]["date"])
    assert not before["muted"].str.contains("flow").any()
    assert rescored["days"] == len(muted)
    assert muted == {each for each in set(before["date"]) if each >= day}
