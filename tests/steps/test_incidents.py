"""Incidents over midnight, and the withdrawal of those that a bad version raised."""

from datetime import timedelta

import pandas as pd
import pytest

from pipeline import settings, tables
from pipeline.errors import DataError
from pipeline.steps import incidents, score_tables
from pipeline.steps.incidents import incidents_between
from pipeline.steps.rescoring import withdraw_and_rescore
from pipeline.tables import Table
from tests.builders import days, make_frame, on

D = days(5)


@pytest.fixture
def filled(house):
    """Five ingested days; pump b runs wrong from 22:00 to 02:00 between the second and third."""
    frame = make_frame(5, seed=3)
    night = pd.date_range(D[1], periods=5, freq="h", tz="UTC") + pd.Timedelta("22h")
    frame.loc[on(frame, "b") & frame["timestamp"].isin(night), "flow"] += 15
    house.deliver(frame)
    house.ingest(*D)
    return house


def between(house, first, last, **section):
    spec = house.spec
    if section:
        update = {"incidents": spec.incidents.model_copy(update=section)}
        spec = spec.model_copy(update=update)
    return incidents_between(spec, first, last, root=house.here.storage)


def test_an_incident_over_midnight_is_one_incident_with_one_id(filled):
    filled.score(*D)

    (whole,) = [i for i in between(filled, D[0], D[4]) if i.entity == "b" and i.rows > 2]
    (later,) = [i for i in between(filled, D[2], D[2]) if i.entity == "b" and i.rows > 2]

    assert whole == later
    assert whole.rows == 5
    assert whole.end - whole.start == pd.Timedelta("4h")
    assert whole.features[0].feature == "flow"
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
    assert moved.features[0].feature == "pressure"
    assert moved.features[0].times_usual > 10
    muted = house.rows("scores", last).query("entity == 'c'")["muted"]
    assert muted.eq("pressure").all()


def test_incidents_that_only_the_bad_version_saw_are_withdrawn(filled):
    replace_bad_version(filled)

    result = withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")

    assert result["days"] == len(D)
    assert set(filled.rows("scores")["version"]) == {1}
    found = between(filled, D[0], D[4])
    assert {i.version for i in found if i.status == "raised"} == {1}
    assert {i.version for i in found if i.status == "withdrawn"} == {2}
    seen_by_both = [i for i in found if i.start == pd.Timestamp("2024-01-02T22:00Z")]
    assert [i.status for i in seen_by_both if i.entity == "b"] == ["raised"]


def test_withdrawing_again_changes_nothing(filled):
    replace_bad_version(filled)
    withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")
    before = filled.content()

    again = withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")

    assert again["days"] == 0
    assert filled.content() == before


def test_a_withdrawn_incident_stays_so_when_the_day_is_scored_again(filled):
    replace_bad_version(filled)
    withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")
    before = [i.id for i in between(filled, D[0], D[4]) if i.status == "withdrawn"]
    filled.promote(3, scale=0.9)

    filled.score(*D)

    after = [i.id for i in between(filled, D[0], D[4]) if i.status == "withdrawn"]
    assert set(after) <= set(before)
    assert len(after) > len(before) / 2


@pytest.mark.parametrize("dies_at", ["incidents", "scores", "scorings"])
def test_an_interrupted_withdrawal_is_completed_by_the_next(filled, monkeypatch, dies_at):
    replace_bad_version(filled)
    whole = tables.replace_days, tables.append

    def dying(call):
        def write(table, *args, **kwargs):
            if table.name == dies_at:
                raise KeyboardInterrupt
            return call(table, *args, **kwargs)

        return write

    with monkeypatch.context() as patched:
        patched.setattr(tables, "replace_days", dying(whole[0]))
        patched.setattr(tables, "append", dying(whole[1]))
        with pytest.raises(KeyboardInterrupt):
            withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")
    withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")

    assert set(filled.rows("scores")["version"]) == {1}
    parts = filled.rows("incidents").groupby("status")["version"].unique()
    assert (list(parts["raised"]), list(parts["withdrawn"])) == ([1], [2])


def test_a_version_that_is_still_live_is_not_withdrawn(filled):
    filled.score(*D)

    with pytest.raises(DataError, match="Version 1 is the champion"):
        withdraw_and_rescore(settings.load(), "pumps", 1, run="rollback")


def test_parts_survive_the_table(filled):
    filled.score(*D)
    rows = filled.rows("incidents")

    parts = score_tables.parts_of(rows)

    assert [part.start for part in parts] == list(rows["start"])
    assert all(part.features for part in parts)
    assert incidents.incidents_between(
        filled.spec, D[0] - timedelta(days=400), D[4], root=filled.here.storage
    ) == between(filled, D[0], D[4])


def test_no_table_yet_means_no_incidents(house):
    assert between(house, D[0], D[4]) == []
    assert tables.current_version(Table(house.here.storage, "pumps", "incidents")) is None


def replace_bad_version(house):
    """Version 2, with a third of the right threshold, scores all days; then 1 is back."""
    good = house.live["champion"]
    house.promote(2, scale=1 / 3)
    house.score(*D)
    house.live["champion"] = good
