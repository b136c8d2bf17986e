"""Incidents over midnight, read from the parts of their days."""

from datetime import timedelta

import pandas as pd
import pytest

from pipeline import tables
from pipeline.store.incidents import incident_days, incidents_between, parts_of, raised_parts
from pipeline.tables import Table
from tests.builders import days, make_frame, on, stored_in
from tests.steps.pump_house import bad_night

D = days(5)


@pytest.fixture
def filled(house):
    """Five ingested days; pump b runs wrong from 22:00 to 02:00 between the second and third."""
    house.deliver(bad_night())
    house.ingest(*D)
    return house


def between(house, first, last, **section):
    spec = house.spec
    if section:
        update = {"incidents": spec.incidents.model_copy(update=section)}
        spec = spec.model_copy(update=update)
    return incidents_between(house.here, spec, first, last)


def test_an_incident_over_midnight_is_one_incident_with_one_id(filled):
    filled.score(*D)

    (whole,) = [i for i in between(filled, D[0], D[4]) if i.entity == "b" and i.rows > 2]
    (later,) = [i for i in between(filled, D[2], D[2]) if i.entity == "b" and i.rows > 2]

    assert whole == later
    assert whole.rows == 5
    assert whole.end - whole.start == pd.Timedelta("4h")
    assert whole.features[0].channel == "flow"
    assert whole.peak > 1
    assert whole.start <= whole.peak_at <= whole.end


def test_days_after_the_last_requested_one_are_not_read(filled):
    filled.score(*D)

    (evening,) = [i for i in between(filled, D[1], D[1]) if i.entity == "b" and i.rows > 1]

    assert evening.rows == 2
    assert evening.end.date() == D[1]


def test_short_episodes_open_no_incident_but_short_parts_of_a_long_one_count(filled):
    filled.score(*D)

    long = between(filled, D[0], D[4], minimum_rows=5)
    longer = between(filled, D[0], D[4], minimum_rows=6)

    assert ("b", 5) in {(i.entity, i.rows) for i in long}
    assert not longer


def test_an_incident_is_followed_back_to_its_start_however_long_ago(house):
    frame = make_frame(30, seed=3)
    frame.loc[on(frame, "c") & (frame["timestamp"] >= "2024-01-02T06:00Z"), "pressure"] += 8
    house.deliver(frame)
    house.ingest(*days(30))
    house.score(*days(30))

    last = days(30)[-1]
    kinds = {(i.kind, i.entity): i for i in between(house, last, last)}

    moved = kinds["shifted feature", "c"]
    assert moved.start < pd.Timestamp("2024-01-03", tz="UTC")
    assert moved.features[0].channel == "pressure"
    assert moved.features[0].times_usual > 10
    muted = house.rows("scores", last).query("entity == 'c'")["muted"]
    assert muted.eq("pressure").all()


def test_parts_survive_the_table(filled):
    filled.score(*D)
    rows = filled.rows("incidents")

    parts = parts_of(rows)

    assert [part.start for part in parts] == list(rows["start"])
    assert all(part.features for part in parts)
    assert between(filled, D[0] - timedelta(days=400), D[4]) == between(filled, D[0], D[4])


def test_parts_that_were_withdrawn_are_left_out(tmp_path):
    here = stored_in(tmp_path)
    rows = [{"date": day, "status": "raised", "entity": "a"} for day in D[:3]]
    rows[1] |= {"status": "withdrawn"}
    tables.append(Table(here.storage, "pumps", "incidents"), rows)

    assert set(raised_parts(here, "pumps", ["date"])["date"]) == {D[0], D[2]}
    found = raised_parts(here, "pumps", ["entity"], first=D[1], last=D[2])
    assert found.to_dict("records") == [{"entity": "a"}]
    assert incident_days(here, "pumps") == D[:3]


def test_no_table_yet_means_no_incidents(house):
    assert between(house, D[0], D[4]) == []
    assert tables.current_version(Table(house.here.storage, "pumps", "incidents")) is None
