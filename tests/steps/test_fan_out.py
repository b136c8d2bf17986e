"""Days in groups that go through the tables at once: what groups there are, and what is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pipeline import settings
from pipeline.data.groups import MOST_GROUPS
from pipeline.errors import DataError, PartitionBlocked
from pipeline.registry import tags
from pipeline.steps import fan_out, ingestion, rollback, scoring
from pipeline.steps.rescoring import withdraw_and_rescore
from pipeline.store.score_writing import content_hashes
from tests.builders import FIRST_DAY, PUMPS
from tests.steps.pump_house import EIGHT_DAYS as D
from tests.steps.pump_house import another_house, open_house, station

NAMES = ("telemetry", "quarantine", "scores", "incidents")
MACHINES_UNKNOWN = {"schema": {"entities": []}}


def planned(size, first=D[0], last=D[-1]):
    return fan_out.plan(
        settings.load(), "pumps", str(first), str(last), "load and score", days_a_group=size
    )


def load(group):
    ingestion.load(settings.load(), "pumps", group, run="load")


def score(group):
    scoring.score_days(settings.load(), "pumps", group, run="load")


def both(group):
    load(group)
    score(group)


def content(house):
    return {name: content_hashes(house.rows(name)) for name in NAMES if len(house.rows(name))}


def spoilt():
    """Eight days, the fourth of them in another unit."""
    frame = station()
    spoilt_day = frame["timestamp"].dt.date == D[3]
    frame.loc[spoilt_day, "flow"] *= 1000
    return frame


@pytest.fixture
def at_once(here, monkeypatch):
    """The tables after one run over all days."""
    house = another_house(here, monkeypatch, "at-once")
    house.deliver(station())
    both([str(day) for day in D])
    return content(house)


@pytest.mark.parametrize(
    "order",
    [
        "load3 score3 load2 score2 load1 score1 load0 score0",
        "load0 load1 load2 load3 score3 score0 score2 score1",
        "load1 score1 load3 load0 score3 load2 score2 score0",
    ],
)
def test_groups_in_any_order_give_the_tables_of_one_run(here, monkeypatch, at_once, order):
    house = another_house(here, monkeypatch, "mixed")
    house.deliver(station())
    groups = planned(2)

    for step in order.split():
        {"load": load, "score": score}[step[:-1]](groups[int(step[-1])])

    assert content(house) == at_once


def test_groups_at_the_same_time_give_the_tables_of_one_run(here, monkeypatch, at_once):
    house = another_house(here, monkeypatch, "crossing")
    house.deliver(station())

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(both, reversed(planned(2))))

    assert content(house) == at_once
    assert list(house.rows("ingestions")["verdict"]) == ["validated"] * len(D)


def test_a_blocked_day_spares_its_group_and_is_named(here, monkeypatch):
    house = another_house(here, monkeypatch, "blocked")
    house.deliver(spoilt())
    group = planned(4)[0]

    both(group)

    with pytest.raises(PartitionBlocked, match=f"{D[3]}: .*implausible day flow"):
        ingestion.refuse_blocked(house.here, "pumps", group)
    assert set(house.rows("scores")["date"]) == set(D[:3])
    assert set(house.rows("quarantine")["date"]) == {D[3]}


def test_a_group_that_is_run_again_replaces_what_was_fixed(here, monkeypatch, at_once):
    house = another_house(here, monkeypatch, "fixed")
    house.deliver(spoilt())
    for group in planned(4):
        both(group)
    house.deliver(station())

    both(planned(4)[0])

    ingestion.refuse_blocked(house.here, "pumps", [str(day) for day in D])
    assert {**content(house), "quarantine": {}} == {**at_once, "quarantine": {}}


def test_a_rollback_groups_the_days_and_completes_when_all_are_done(filled, monkeypatch):
    good = filled.live["champion"]
    filled.promote(2, scale=0.5)
    filled.score(*D)
    filled.live["champion"] = good
    undone = {2}
    monkeypatch.setattr(rollback, "connect", lambda _: None)
    monkeypatch.setattr(rollback, "unfinished", lambda *_: tuple(undone))
    monkeypatch.setattr(tags, "mark_rescored", lambda *given: undone.remove(given[-1]))
    (whole,) = rollback.plan_rescore(settings.load(), {"detector": "pumps"})
    halves = [{**whole, "days": whole["days"][:4]}, {**whole, "days": whole["days"][4:]}]

    shared = [
        rollback.rescore(settings.load(), **half, run="r")["days"] for half in reversed(halves)
    ]
    result = rollback.close(settings.load(), {"detector": "pumps"}, run="r")

    assert whole == {"detector": "pumps", "version": 2, "days": [str(day) for day in D]}
    assert shared == [4, 4]
    assert result["rescored"]["2"]["days"] == 0
    assert set(filled.rows("scores")["version"]) == {1}
    assert undone == set()
    assert withdraw_and_rescore(settings.load(), "pumps", 2, run="r")["days"] == 0


def test_days_of_a_known_station_are_planned_without_asking_the_source(here):
    open_house(here)

    made = fan_out.plan(here, "pumps", str(D[0]), str(D[-1]), "load and score")

    assert made == [[str(day) for day in D]]


def test_where_machines_are_unknown_the_source_gives_the_number_of_rows(here, monkeypatch):
    house = open_house(here, **MACHINES_UNKNOWN)
    house.deliver(station())
    asked = []
    monkeypatch.setattr(fan_out, "groups", lambda *given: asked.append(given[1]) or [])

    fan_out.plan(here, "pumps", str(D[0]), str(D[1]), "load and score")
    fan_out.plan(here, "pumps", str(D[0]), str(D[1]), "score again")

    assert [shape.rows for shape in asked] == [24 * len(PUMPS), 24]


def test_where_machines_are_unknown_the_largest_day_so_far_counts(here, monkeypatch):
    house = open_house(here, **MACHINES_UNKNOWN)
    house.deliver(station())
    house.ingest(D[0])
    house.deliver(station().head(0))
    asked = []
    monkeypatch.setattr(fan_out, "groups", lambda *given: asked.append(given[1]) or [])

    fan_out.plan(here, "pumps", str(D[4]), str(D[5]), "load and score")

    assert [shape.rows for shape in asked] == [24 * len(PUMPS)]


def test_a_range_that_runs_backwards_is_refused(here):
    open_house(here)

    with pytest.raises(DataError, match="first day 2024-01-08 lies after the last day 2024-01-01"):
        fan_out.plan(here, "pumps", str(D[-1]), str(D[0]), "score again")


def test_more_groups_than_can_be_mapped_are_refused_with_a_size_that_can(here):
    open_house(here)
    last = FIRST_DAY + timedelta(days=2 * MOST_GROUPS)

    with pytest.raises(DataError, match=r"makes 2,001 groups .* give 3 or more"):
        planned(1, last=last)

    assert len(planned(3, last=last)) == 667


def test_no_days_are_no_groups(here):
    open_house(here)

    assert fan_out.grouped(here, "pumps", [], "score again") == []
