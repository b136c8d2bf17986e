"""One message per incident: when it is due, its content, and that it is sent once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from pipeline import settings
from pipeline.detector.attribution import Blame
from pipeline.errors import OutageError
from pipeline.incidents import Incident
from pipeline.steps import notifying

NAME = "la_haute_borne"
START = pd.Timestamp("2014-05-01 03:10", tz="UTC")
NOW = datetime(2014, 5, 2, 1, tzinfo=UTC)
DAY = "2014-05-01"
INCIDENT = Incident(
    id="0123456789ab",
    kind="anomaly",
    status="raised",
    entity="R80711",
    start=START,
    end=START + pd.Timedelta(hours=2),
    rows=13,
    peak=7.1,
    peak_at=START + pd.Timedelta(minutes=30),
    version=3,
    features=(Blame("power", 41.0), Blame("pitch", 6.0)),
)


@pytest.fixture
def found(monkeypatch, tmp_path):
    """The incidents that the tables hold; a test may change the list."""
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path))
    incidents = [INCIDENT]
    monkeypatch.setattr(notifying, "incidents_between", lambda *_, **__: incidents)
    return incidents


@pytest.mark.usefixtures("found")
def test_a_new_incident_is_notified_with_cause_and_how_to_answer():
    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert notice["subject"] == "la_haute_borne: R80711 is anomalous, first of all power"
    assert "From 2014-05-01 03:10 to 2014-05-01 05:10 UTC, 13 rows." in notice["text"]
    assert "7.1 x the threshold at 03:40" in notice["text"]
    assert "power (41 x its usual share); pitch (6 x its usual share)" in notice["text"]
    assert [
        shlex.split(line)[-5:] for line in notice["text"].splitlines() if " label " in line
    ] == [
        [NAME, "--incident", INCIDENT.id, "--verdict", verdict]
        for verdict in ("incident", "normal")
    ]  # each on a line of its own, to be pasted


def test_an_incident_is_notified_once_however_long_it_lasts(found):
    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)
    notifying.record_sent(settings.load(), notice, channel="log", run="r1")
    found[:] = [replace(INCIDENT, end=START + pd.Timedelta(days=1))]

    again = notifying.due(settings.load(), NAME, ["2014-05-02"], now=NOW + timedelta(days=1))

    assert again == []


@pytest.mark.usefixtures("found")
def test_history_is_not_notified():
    assert notifying.due(settings.load(), NAME, [DAY], now=NOW + timedelta(days=3)) == []
    assert len(notifying.due(settings.load(), NAME, [DAY], now=NOW + timedelta(days=2))) == 1


def test_a_withdrawn_incident_is_not_notified(found):
    found[:] = [replace(INCIDENT, status="withdrawn")]

    assert notifying.due(settings.load(), NAME, [DAY], now=NOW) == []


def test_a_shifted_sensor_is_named(found):
    found[:] = [replace(INCIDENT, kind="shifted feature", peak=0.0)]

    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert "R80711 has a sensor that left its range, first of all power" in notice["subject"]
    assert "Peak" not in notice["text"]


ODD = [
    "pump\nBcc: all@example.org",
    "\x1b[2Jpump",
    "<!channel> & <http://evil|x>",
    "x" * 10_000,
    "\u202epump",
]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_makes_one_printable_line_and_stays_what_it_is(found, name):
    found[:] = [replace(INCIDENT, entity=name)]

    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert notice["subject"].isprintable()
    assert len(notice["subject"]) < 300
    assert notice["entity"] == name


def named(*names):
    return [replace(INCIDENT, id=f"id-{name}", entity=name) for name in names]


def test_one_message_that_is_not_sent_does_not_stop_the_others(found):
    found[:] = named("a", "b", "c")
    sent = []

    def send(notice):
        if notice["entity"] == "b":
            msg = "https://hooks.example/T1/B1/secret did not answer"
            raise ConnectionError(msg)
        sent.append(notice["entity"])

    with pytest.raises(OutageError) as failed:
        notifying.send_notices(
            settings.load(),
            notifying.due(settings.load(), NAME, [DAY], now=NOW),
            send,
            channel="slack",
            run="r1",
        )

    assert sent == ["a", "c"]
    message = str(failed.value)
    assert "1 of 3 messages did not go out by slack (ConnectionError): incidents id-b" in message
    assert "secret" not in message

    (left,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)
    assert left["entity"] == "b"
    assert (
        notifying.send_notices(settings.load(), [left], lambda _: None, channel="slack", run="r2")
        == 1
    )
    assert notifying.due(settings.load(), NAME, [DAY], now=NOW) == []
