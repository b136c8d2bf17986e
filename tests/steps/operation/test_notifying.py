"""One message for one incident: when it is due, what it says, and that it goes out once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from pipeline.detector.attribution import Blame
from pipeline.incidents import Incident
from pipeline.steps.operation import notifying

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
def test_a_new_incident_is_told_with_cause_and_way_to_answer():
    (notice,) = notifying.due(NAME, [DAY], now=NOW)

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


def test_an_incident_is_told_once_however_long_it_lasts(found):
    (notice,) = notifying.due(NAME, [DAY], now=NOW)
    notifying.record_sent(notice, channel="log", run="r1")
    found[:] = [replace(INCIDENT, end=START + pd.Timedelta(days=1))]

    again = notifying.due(NAME, ["2014-05-02"], now=NOW + timedelta(days=1))

    assert again == []


@pytest.mark.usefixtures("found")
def test_history_is_told_to_nobody():
    assert notifying.due(NAME, [DAY], now=NOW + timedelta(days=3)) == []
    assert len(notifying.due(NAME, [DAY], now=NOW + timedelta(days=2))) == 1


def test_a_withdrawn_incident_is_told_to_nobody(found):
    found[:] = [replace(INCIDENT, status="withdrawn")]

    assert notifying.due(NAME, [DAY], now=NOW) == []


def test_a_shifted_sensor_is_named(found):
    found[:] = [replace(INCIDENT, kind="shifted feature", peak=0.0)]

    (notice,) = notifying.due(NAME, [DAY], now=NOW)

    assert "R80711 has a sensor that left its range, first of all power" in notice["subject"]
    assert "Peak" not in notice["text"]
