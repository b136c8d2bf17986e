from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from pipeline import settings
from pipeline.data.derive import derive
from pipeline.ledger import Decision
from pipeline.monitoring.promotion_watch import Partition
from pipeline.scoring import score_rows
from pipeline.steps import promotion_watch
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table, append, replace_days
from tests import ledger_entries
from tests.builders import days, make_frame
from tests.steps.pump_house import PumpHouse

BAD = 0.3
"""Scale of a threshold so low that half of the rows are above it."""


@pytest.fixture
def promoted(house: PumpHouse) -> PumpHouse:
    """Version 2 with a threshold that is far too low was promoted over version 1."""
    house.live["previous"] = house.live["champion"]
    house.promote(2, scale=BAD)
    decide(house, "promotion", 1, None)
    decide(house, "promotion", 2, 1)
    return house


def decide(house: PumpHouse, action: Any, version: int, replaced: int | None) -> None:
    made = datetime.now(UTC).isoformat()
    decision = Decision(action, "pumps", version, replaced, "test", "why", "run", "0", made)
    ledger_entries.write(house.here, decision)


def serve(house: PumpHouse, frame: pd.DataFrame, *, version: int = 2) -> None:
    """Rows of `frame` in `telemetry`, and in `scores` as the live version says of them."""
    rows = derive(frame, house.spec.columns)
    table = telemetry_table(rows, house.spec.columns)
    held = sorted(set(table["date"].to_pylist()))
    replace_days(Table(house.here.storage, "pumps", "telemetry"), held, table, metadata={})
    bundle = house.live["champion"].bundle
    scored = score_rows(bundle, rows)
    served = pd.DataFrame(
        {
            "date": rows["timestamp"].dt.date,
            "timestamp": rows["timestamp"],
            "entity": rows["pump"],
            "role": "champion",
            "version": version,
            "score": scored.score,
            "flag": scored.flagged,
            "muted": "",
        }
    )
    append(Table(house.here.storage, "pumps", "scores"), served.to_dict("records"))


def watch(day: date) -> dict[str, Any]:
    return promotion_watch.watch(settings.load(), "pumps", day.isoformat(), run="test")


def test_a_threshold_that_is_too_low_trips_on_the_third_day_and_says_why(promoted):
    serve(promoted, make_frame(3))

    result = [watch(day) for day in days(3)]

    assert [each["tripped"] for each in result] == [False, False, True]
    assert (result[2]["version"], result[2]["previous"]) == (2, 1)
    assert "rows flagged (limit 20%)" in result[2]["reason"]


def test_it_trips_in_any_order_of_days_for_the_same_days(promoted):
    serve(promoted, make_frame(5))

    assert [watch(days(5)[place])["tripped"] for place in (4, 1, 2)] == [True, False, True]


def test_a_day_inside_the_limits_begins_the_count_again(promoted):
    good = promoted.live["champion"]
    promoted.live["champion"] = promoted.live["previous"]
    serve(promoted, make_frame(1, first_day=days(3)[1]))
    promoted.live["champion"] = good
    for place in (0, 2, 3):
        serve(promoted, make_frame(1, first_day=days(4)[place]))

    assert not watch(days(4)[3])["tripped"]


def test_a_plant_that_changed_is_no_fault_of_the_new_version(promoted):
    frame = make_frame(3)
    serve(promoted, frame.assign(pressure=frame["pressure"] + 3))

    result = watch(days(3)[2])

    assert not result["tripped"]
    assert "the plant changed" in result["reason"]


def test_the_watch_ends_after_its_days(promoted):
    serve(promoted, make_frame(17))

    assert watch(days(14)[13])["tripped"]
    assert not watch(days(15)[14])["tripped"]


def test_days_that_the_version_knows_are_not_watched(promoted, monkeypatch):
    monkeypatch.setattr(promotion_watch, "knows_until", lambda _: days(3)[2])
    serve(promoted, make_frame(5))

    assert not watch(days(3)[2])["tripped"]
    assert watch(days(5)[4])["tripped"]


def test_days_that_another_version_served_do_not_count(promoted):
    serve(promoted, make_frame(2), version=1)
    serve(promoted, make_frame(1, first_day=days(3)[2]))

    assert not watch(days(3)[2])["tripped"]


def test_the_count_begins_after_all_days_that_another_version_served(promoted):
    serve(promoted, make_frame(15), version=1)
    serve(promoted, make_frame(14, first_day=days(16)[15]))

    result = [watch(day)["tripped"] for day in days(29)[15:]]

    assert result == [False, False, *[True] * 12]


def test_a_watch_that_is_over_reads_no_scores_of_later_days(promoted, monkeypatch):
    serve(promoted, make_frame(40))
    read = list[date]()
    whole = promotion_watch.champion_scores

    def noting(*args, first, last):
        read.append(last)
        return whole(*args, first=first, last=last)

    monkeypatch.setattr(promotion_watch, "champion_scores", noting)

    assert not watch(days(40)[39])["tripped"]
    assert max(read) < days(20)[19]


def test_a_version_that_was_rolled_back_never_trips_again(promoted):
    serve(promoted, make_frame(3))
    decide(promoted, "rollback", 1, 2)
    decide(promoted, "promotion", 2, 1)

    result = watch(days(3)[2])

    assert not result["tripped"]
    assert "rolled back before" in result["reason"]


def test_a_version_that_was_rolled_back_to_is_not_watched(promoted):
    serve(promoted, make_frame(3))
    decide(promoted, "rollback", 2, 3)

    assert not watch(days(3)[2])["tripped"]


def test_without_a_rollback_target_nothing_trips(promoted):
    serve(promoted, make_frame(3))
    del promoted.live["previous"]

    assert "no version to return to" in watch(days(3)[2])["reason"]


@pytest.mark.parametrize(
    ("flagged", "level", "outside"),
    [(0.2, 1.0, False), (0.21, 1.0, True), (0.0, 3.1, True), (0.0, 0.3, True), (0.01, 0.4, False)],
)
def test_too_many_flags_and_scores_of_another_size_are_outside(house, flagged, level, outside):
    assert bool(Partition(days(1)[0], flagged, level).fault(house.spec.promotion)) == outside
