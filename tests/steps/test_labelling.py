"""Labels of spans and incidents, and the episodes that people are asked to label."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipeline import settings
from pipeline.data.label_request import Author, LabelRequest
from pipeline.errors import DataError
from pipeline.steps import labelling
from pipeline.steps.waiting_labels import waiting as waiting_for_labels
from pipeline.store.audits import audits_between
from pipeline.store.labels import labels_as_of
from tests.builders import days, moment
from tests.steps.asked import put_detector, put_incident

DAY, NEXT, LATER = days(3)
NOW = datetime(2024, 1, 10, 9, tzinfo=UTC)
ANN = Author("ann", NOW)


@pytest.fixture
def pumps(here):
    put_detector(here)
    return here


def labels(here, at=NOW):
    return labels_as_of(here, "pumps", at)


def say(verdict="incident", by=ANN, **about):
    return labelling.label(settings.load(), "pumps", LabelRequest(verdict, **about), by)


def test_a_span_of_one_machine_is_labelled(pumps):
    recorded = say(
        start="2024-01-01T03:00Z", end="2024-01-01T06:30+01:00", entity="a", note="bearing"
    )

    (label,) = labels(pumps)
    assert (label.start, label.end) == (moment(DAY, 3), moment(DAY, 5) + timedelta(minutes=30))
    assert (label.entity, label.verdict, label.note) == ("a", "incident", "bearing")
    assert (label.author, label.created_at) == ("ann", NOW)
    assert (recorded["rows"], recorded["overruled"], recorded["new"]) == (3, 0, True)
    assert json.dumps(recorded)


@pytest.mark.usefixtures("pumps")
def test_plain_days_are_whole_days():
    assert say(start="2024-01-01", end="2024-01-02")["rows"] == 2 * 72


@pytest.mark.usefixtures("pumps")
def test_a_label_says_from_when_it_counts():
    assert say(start="2024-01-01", end="2024-01-01")["counts_from"] == "2024-01-11"


def test_an_unknown_incident_suggests_the_nearest(pumps):
    names = [put_incident(pumps, moment(DAY, hour), entity="b", rows=1) for hour in (3, 9)]
    typed = names[0][:-1] + ("0" if names[0][-1] != "0" else "1")

    for given in (typed, names[0][:5]):
        with pytest.raises(DataError, match=rf"no incident '{given}'; the nearest: {names[0]}"):
            say(incident=given)
    assert labels(pumps) == ()


def test_an_incident_is_labelled_by_the_id_of_its_notification(pumps):
    name = put_incident(pumps, moment(DAY, 3), entity="b", rows=4)

    recorded = say("normal", incident=name)

    (label,) = labels(pumps)
    assert (label.start, label.end, label.entity) == (moment(DAY, 3), moment(DAY, 6), "b")
    assert recorded["rows"] == 4


def test_an_overruled_verdict_is_counted_and_stays(pumps):
    say(start="2024-01-01T03:00Z", end="2024-01-01T05:00Z", entity="a")

    later = Author("bob", NOW + timedelta(hours=1))
    recorded = say(
        "normal", by=later, start="2024-01-01T05:00Z", end="2024-01-01T08:00Z", entity="a"
    )

    assert (recorded["rows"], recorded["overruled"]) == (4, 1)
    assert [each.author for each in labels(pumps, later.at)] == ["ann", "bob"]


def test_a_run_that_is_repeated_says_nothing_again(pumps):
    span = {"start": "2024-01-01T03:00Z", "end": "2024-01-01T05:00Z"}
    say(by=Author("ann", NOW, "pumps__label/r1"), **span)
    say("normal", by=Author("bob", NOW + timedelta(hours=1), "pumps__label/r2"), **span)

    again = say(by=Author("ann", NOW + timedelta(hours=2), "pumps__label/r1"), **span)

    assert not again["new"]
    assert [each.verdict for each in labels(pumps, NOW + timedelta(days=1))] == [
        "incident",
        "normal",
    ]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, r"start is None, end is None and no incident is named; give both ends"),
        ({"start": "2024-01-01"}, r"start is '2024-01-01', end is None"),
        ({"start": "2024-01-01T10:00", "end": "2024-01-02"}, r"no time zone; write 2024.*10:00Z"),
        (
            {"start": "1.5.2024", "end": "2024-01-02"},
            r"start '1\.5\.2024' is not a time; write 2014",
        ),
        ({"start": "2024-01-02", "end": "2024-01-01"}, r"end .* before start .*; swap them"),
        ({"start": "2024-01-01", "end": "2024-01-10"}, r"end .* after 2024-01-10 .* End the span"),
        ({"start": "2023-12-01", "end": "2024-01-02"}, r"are 32 days; one label covers 31"),
        (
            {"start": "2023-12-01", "end": "2023-12-02"},
            r"no telemetry of any machine .*holds 2024",
        ),
        ({"start": "2024-01-01", "end": "2024-01-01", "entity": "z"}, r"'z'; choose from a, b, c"),
        ({"incident": "feed"}, r"no incident 'feed'; newest: none\. `.*-m pipeline label"),
        ({"incident": "feed", "end": "2024-01-01"}, r"give either the incident or start, end"),
    ],
)
def test_invalid_input_is_refused_and_nothing_is_recorded(pumps, about, message):
    with pytest.raises(DataError, match=message):
        say(**about)

    assert labels(pumps) == ()


def test_a_detector_of_one_machine_knows_no_other(here):
    derived = {"entity": None, "entities": [], "derived": []}
    put_detector(here, schema=derived)

    with pytest.raises(DataError, match="no machine 'a'; leave it out"):
        say(start="2024-01-01", end="2024-01-01", entity="a")
    assert say(start="2024-01-01", end="2024-01-01")["rows"] == 72


def test_every_episode_without_a_verdict_waits(pumps):
    answered = put_incident(pumps, moment(DAY, 3), entity="b")
    half = put_incident(pumps, moment(DAY, 10), entity="b")
    put_incident(pumps, moment(NEXT), kind="shifted feature")
    put_incident(pumps, moment(NEXT, 8), status="withdrawn")
    say("normal", incident=answered)
    say(start="2024-01-01T10:00Z", end="2024-01-01T11:00Z", entity="b")

    waiting = waiting_for_labels(settings.load(), "pumps", now=NOW)

    assert [each.id for each in waiting.incidents] == [half]
    assert len(waiting.labels) == 2


@pytest.mark.usefixtures("pumps")
def test_nothing_waits_where_nothing_was_scored():
    waiting = waiting_for_labels(settings.load(), "pumps", now=NOW)

    assert (waiting.labels, waiting.audits, waiting.incidents) == ((), (), ())


def test_sampled_episodes_wait_first_and_short_ones_are_sampled_too(here):
    put_detector(here, incidents={"minimum_rows": 3}, recalibration={"audit_share": 1.0})
    short = put_incident(here, moment(DAY, 3), rows=1)

    recorded = labelling.propose_audits(here, "pumps", DAY, LATER, run="r1", now=NOW)

    waiting = waiting_for_labels(here, "pumps", now=NOW)
    assert (recorded["episodes"], recorded["sampled"], recorded["new"]) == (1, 1, 1)
    assert [each.incident for each in waiting.audits] == [short]
    assert waiting.incidents == ()
    say("normal", incident=short)
    assert waiting_for_labels(here, "pumps", now=NOW).audits == ()


def test_a_month_is_sampled_once_however_often_and_in_which_window(here):
    put_detector(here, recalibration={"audit_share": 0.5})
    for day in days(3):
        for hour in range(0, 24, 4):
            for pump in "abc":
                put_incident(here, moment(day, hour), entity=pump, rows=1)

    first = labelling.propose_audits(here, "pumps", DAY, LATER, run="r1", now=NOW)
    audits = audits_between(here, "pumps", DAY, LATER)
    labelling.propose_audits(here, "pumps", NEXT, LATER, run="r2", now=NOW + timedelta(days=30))

    assert 0 < first["sampled"] < first["episodes"] == 54
    assert audits_between(here, "pumps", DAY, LATER) == audits


def test_an_episode_belongs_to_the_day_it_begins_on(here):
    put_detector(here, recalibration={"audit_share": 1.0})
    put_incident(here, moment(DAY, 22), rows=2)
    put_incident(here, moment(NEXT, 0), rows=2)

    recorded = labelling.propose_audits(here, "pumps", NEXT, LATER, run="r1", now=NOW)

    assert recorded["episodes"] == 0
    assert labelling.propose_audits(here, "pumps", DAY, DAY, run="r1", now=NOW)["episodes"] == 1
