"""A sensor that fails alone, all the way: its cells are missing, and the rest is watched."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from deploy.demo import review
from pipeline.data.split import split
from pipeline.monitoring.day_status import states_of
from pipeline.steps import live, notifying
from pipeline.steps.drift_evidence import observed_rows
from pipeline.steps.open_items import open_items
from pipeline.steps.scored_window import read_window
from pipeline.store.day_records import read_day_records
from pipeline.store.training_window import read_training_window
from tests.builders import FIRST_DAY, ROWS_A_DAY, days, make_frame, moment, on
from tests.steps.pump_house import PumpHouse, another_house

LAST = days(2)[1]
WINDOWS = {"length": 3}


def stuck(frame: pd.DataFrame, day=LAST, hours=range(24)) -> pd.DataFrame:
    """The flow of pump b stands still for a part of one day."""
    struck = on(frame, "b", hours) & (frame["timestamp"].dt.date == day)
    return frame.assign(flow=frame["flow"].mask(struck, 33.3))


@pytest.fixture
def scored(house: PumpHouse) -> PumpHouse:
    """Two days, on the second of which the flow of pump b is stuck from 04:00 to 17:00."""
    house.deliver(stuck(make_frame(2, seed=3), hours=range(4, 18)))
    house.ingest(*days(2))
    house.score(*days(2))
    return house


def of(rows: pd.DataFrame, pump: str, hours=range(24)) -> pd.DataFrame:
    there = rows["entity"].eq(pump) & rows["timestamp"].dt.hour.isin(list(hours))
    return rows[there].sort_values("timestamp", ignore_index=True)


def test_the_rest_of_the_station_is_scored_and_its_rows_are_marked(scored):
    rows = scored.rows("scores", LAST)

    assert len(rows) == ROWS_A_DAY
    assert rows["score"].notna().all()
    assert of(rows, "b", range(4, 18))["partial"].all()
    assert int(rows["partial"].sum()) == 14
    assert not scored.rows("scores", FIRST_DAY)["partial"].any()
    record = read_day_records(scored.here, "pumps", LAST, LAST)[LAST]
    (state,) = states_of([LAST], {LAST: record.delivery}, {LAST: record.scoring})
    assert state.state == "scored"
    assert state.reason == "without flow of b (stuck sensor, 14 rows)"


def test_looking_back_counts_the_whole_rows(scored, monkeypatch):
    monkeypatch.setattr(live, "champion", lambda _here, name: scored.by_alias(name, "champion"))

    found = review.look_back(scored.here, "pumps", FIRST_DAY, LAST)

    assert found.evaluation.rows == 2 * ROWS_A_DAY - 14


def test_the_quarantine_keeps_what_the_sensor_said(scored):
    held = scored.rows("quarantine")

    assert len(held) == 14
    assert held["partial"].all()
    assert set(zip(held["rule"], held["feature"], strict=True)) == {("stuck_sensor", "flow")}
    assert all(json.loads(row)["flow"] == 33.3 for row in held["row"])


def test_partial_rows_that_are_normal_are_rarely_flagged_and_the_others_score_as_ever(
    scored, monkeypatch
):
    healthy = another_house(scored.here, monkeypatch, "healthy")
    healthy.deliver(make_frame(2, seed=3))
    healthy.ingest(*days(2))
    healthy.score(*days(2))

    ours, theirs = scored.rows("scores", LAST), healthy.rows("scores", LAST)

    assert of(ours, "b")["flag"].sum() <= 1
    for hours in (range(4), range(18, 24)):
        pd.testing.assert_frame_equal(of(ours, "b", hours), of(theirs, "b", hours))
    # The deviations of the others are from one pump less.
    assert of(ours, "a")["flag"].sum() == of(theirs, "a")["flag"].sum()


def test_another_fault_beside_the_failed_sensor_is_flagged_and_blamed_on_its_channel(house):
    frame = stuck(make_frame(2, seed=3))
    frame.loc[on(frame, "b", range(10, 13)) & (frame["timestamp"].dt.date == LAST), "pressure"] += 5
    house.deliver(frame)
    house.ingest(*days(2))
    house.score(*days(2))

    rows = of(house.rows("scores", LAST), "b", range(10, 13))

    assert rows["flag"].all()
    for text in rows["features"]:
        blamed = dict(json.loads(text))
        assert max(blamed, key=blamed.__getitem__) == "pressure"
        assert blamed.get("flow", 0.0) == 0.0


def test_a_window_with_a_missing_cell_is_partial(here, monkeypatch):
    longer = another_house(here, monkeypatch, "windows", window=WINDOWS)
    longer.deliver(stuck(make_frame(2, seed=3), hours=range(4, 18)))
    longer.ingest(*days(2))
    longer.score(*days(2))

    rows = of(longer.rows("scores", LAST), "b")

    assert rows["score"].notna().all()
    assert np.flatnonzero(rows["partial"]).tolist() == list(range(4, 20))


def test_a_window_of_which_no_channel_is_left_has_no_score(here, monkeypatch):
    frame = make_frame(2, seed=3)
    for hour, channels in ((10, ["flow"]), (11, ["pressure"]), (12, ["angle"])):
        struck = on(frame, "b", [hour]) & (frame["timestamp"].dt.date == LAST)
        frame.loc[struck, channels] = np.nan
    longer = another_house(here, monkeypatch, "blind", window=WINDOWS)
    longer.deliver(frame)
    longer.ingest(*days(2))
    longer.score(*days(2))

    rows = of(longer.rows("scores", LAST), "b")

    assert np.flatnonzero(rows["score"].isna()).tolist() == [12]
    assert not rows["flag"][12]


def test_partial_rows_are_no_evidence_about_the_usual_score(scored):
    live = scored.by_alias("pumps", "champion")
    as_of = moment(days(3)[2])

    found = read_window(
        scored.here, scored.spec, live, days(2), as_of=as_of, same_weights=frozenset({1})
    )
    excluded = found.frame[found.frame["excluded"]]

    assert set(excluded["entity"]) == {"b"}
    assert sorted(excluded["timestamp"].dt.hour) == list(range(4, 18))


@pytest.mark.parametrize("served", [True, False])
def test_drift_is_judged_without_the_missing_cells(scored, served):
    live = scored.by_alias("pumps", "champion") if served else scored.promote(2)

    sample = observed_rows(scored.here, scored.spec, live, LAST, LAST).sample

    assert sample.muted is not None
    assert int(sample.muted.any(axis=1).sum()) == 14
    np.testing.assert_array_equal(np.isnan(sample.features), sample.muted)
    assert np.isfinite(sample.score[~sample.muted.any(axis=1)]).all()


def test_no_block_of_a_training_holds_a_partial_row_and_they_are_counted(house):
    frame = stuck(make_frame(12, seed=3), day=days(12)[4])
    house.deliver(frame)
    house.ingest(*days(12))

    found = read_training_window(house.here, house.spec, days(13)[12])

    assert found.manifest.rows == 12 * ROWS_A_DAY
    assert found.manifest.partial == 24
    for block in vars(split(found.frame, house.spec)).values():
        assert block.frame.notna().all(axis=None)


def test_a_sensor_that_stays_silent_is_told_once_by_name_however_many_days_it_lasts(house):
    frame = make_frame(4, seed=3)
    first = days(4)[1]
    frame.loc[on(frame, "b") & (frame["timestamp"].dt.date >= first), "flow"] = 33.3
    house.deliver(frame)
    house.ingest(*days(4))
    house.score(*days(4))

    told = []
    for day in days(4):
        now = moment(day) + timedelta(hours=25)
        for notice in notifying.due(house.here, "pumps", [str(day)], now=now):
            notifying.record_sent(house.here, notice, channel="log", run="r")
            told += [notice] if notice["kind"] == "data fault" else []

    (notice,) = told
    assert notice["subject"] == "pumps: b has a sensor that failed: flow (stuck sensor)"
    assert "flow stays at 33.3 l/s for 24 rows; limit 5 h" in notice["text"]
    assert "To do: repair the sensor of flow, or raise its stuck_after." in notice["text"]
    assert f"at {first} 00:00" in notice["text"]
    open_now = open_items(house.here, house.spec, now=moment(days(5)[4]))
    assert "data fault" not in {each.kind for each in open_now.incidents}
    assert "flow of b (stuck sensor, 24 rows)" in open_now.partitions[-1].reason


def test_a_cell_that_is_missing_now_and_then_is_no_incident(house):
    house.deliver(make_frame(2, seed=3).assign(flow=_every_third))
    house.ingest(*days(2))
    house.score(*days(2))

    assert not house.rows("scores", LAST)["partial"].all()
    assert int(house.rows("scores", LAST)["partial"].sum()) == 8
    assert "data fault" not in set(house.rows("incidents")["kind"])


def _every_third(frame: pd.DataFrame) -> pd.Series:
    return frame["flow"].mask(on(frame, "b", range(0, 24, 3)))
