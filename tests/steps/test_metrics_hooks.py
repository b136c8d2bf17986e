"""The readings that each step records for Prometheus."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from pipeline import settings
from pipeline.data.label_request import Author, LabelRequest
from pipeline.errors import DataError, OutageError, PartitionBlocked
from pipeline.metrics import postgres
from pipeline.metrics.readings import (
    DriftReading,
    IngestedReading,
    LiveReading,
    OpenItemsReading,
    Reading,
    ScoredReading,
)
from pipeline.records import to_json
from pipeline.registry.promotion import CHAMPION
from pipeline.steps import (
    champion,
    drifting,
    ingestion,
    labelling,
    metrics_hooks,
    promotion,
    scoring,
)
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.waiting_labels import waiting as waiting_for_labels
from tests.builders import ROWS_A_DAY, make_frame
from tests.steps.fake_registry import FakeRegistry
from tests.steps.pump_house import EIGHT_DAYS, station
from tests.steps.test_promotion import with_digest


class Kept(dict):
    """Readings by topic and day, as a store would hold them."""

    def record(self, dsn: str, readings: list[Reading]) -> None:
        assert dsn == "store"
        self.update({(each.topic, each.day): each.content for each in readings})

    def of(self, topic: str) -> dict[date, object]:
        return {day: content for (name, day), content in self.items() if name == topic}

    def newest(self, topic: str) -> object:
        held = self.of(topic)
        return held[max(held)]


@pytest.fixture
def kept(monkeypatch) -> Kept:
    """A store that holds readings in memory."""
    monkeypatch.setenv("PLIMSOLL_DATABASE", "store")
    held = Kept()
    monkeypatch.setattr(postgres, "record", held.record)
    return held


def ingest(*days: date) -> None:
    run = "pumps__ingest/r"
    fetched = ingestion.fetch(settings.load(), "pumps", [day.isoformat() for day in days], run=run)
    ingestion.write(settings.load(), ingestion.validate(settings.load(), fetched, run=run), run=run)


def test_an_ingested_day_records_its_rows(house, kept):
    frame = make_frame(2)
    frame.loc[[5, 6], ["pressure", "flow"]] = 199.0
    house.deliver(frame)

    ingest(*EIGHT_DAYS[:2])

    assert kept.of("ingested") == {
        EIGHT_DAYS[0]: IngestedReading(ROWS_A_DAY - 2, {"out_of_range": 2}, 1.0),
        EIGHT_DAYS[1]: IngestedReading(ROWS_A_DAY, {}, 1.0),
    }


def test_a_blocked_day_is_recorded_before_it_is_refused(house, kept):
    frame = make_frame(1)
    frame["pressure"] += 90
    house.deliver(frame)

    with pytest.raises(PartitionBlocked):
        ingest(EIGHT_DAYS[0])

    assert kept.newest("ingested").accepted == 0
    assert sum(kept.newest("ingested").rejected.values()) == ROWS_A_DAY
    assert kept.of("standing")  # nothing is scored now that would tell what is open


def test_each_day_of_a_range_records_its_own_scores(filled, kept):
    filled.score(*EIGHT_DAYS)

    readings, rows = kept.of("scored"), filled.rows("scores")
    assert sorted(readings) == EIGHT_DAYS
    for day, content in readings.items():
        mine = rows[(rows["date"] == day) & (rows["role"] == CHAMPION)]
        assert isinstance(content, ScoredReading)
        assert (content.rows, content.flags) == (len(mine), mine["flag"].sum())
        assert content.quantiles["0.95"] == pytest.approx(np.quantile(mine["score"], 0.95))
        assert content.threshold == mine["threshold"].iloc[0]


def test_a_rerun_that_writes_nothing_records_again(filled, kept):
    filled.score(*EIGHT_DAYS)
    first = kept.of("scored")
    kept.clear()

    assert filled.score(*EIGHT_DAYS)["written"] == 0

    assert kept.of("scored") == first


def test_days_that_could_be_scored_are_recorded_although_another_failed(filled, kept, monkeypatch):
    score_day = scoring.score_day

    def broken(spec, inputs, day):
        if day.day == EIGHT_DAYS[1]:
            msg = "broken"
            raise DataError(msg)
        return score_day(spec, inputs, day)

    monkeypatch.setattr(scoring, "score_day", broken)

    with pytest.raises(DataError, match="broken"):
        filled.score(*EIGHT_DAYS[:3])

    assert sorted(kept.of("scored")) == [EIGHT_DAYS[0], EIGHT_DAYS[2]]


def test_a_day_that_lost_its_rows_is_shown_no_more(filled, kept):
    empty = EIGHT_DAYS[-1] + timedelta(days=1)

    filled.score(EIGHT_DAYS[-1], empty)

    assert kept.of("scored")[empty] is None


def test_judged_days_record_distances_and_the_latent_distance(filled, kept):
    filled.score(*EIGHT_DAYS)
    drifting.judge_days(settings.load(), "pumps", [day.isoformat() for day in EIGHT_DAYS], run="r")

    readings = kept.of("drifted")
    assert all(isinstance(readings[day], DriftReading) for day in EIGHT_DAYS)
    assert readings[EIGHT_DAYS[0]].moved[0].feature == "score"
    stored = filled.rows("drift", EIGHT_DAYS[-1])
    week = stored[stored["source"] == "week"].set_index("feature")["distance"]
    assert {
        each.feature: each.distance for each in readings[EIGHT_DAYS[-1]].moved
    } == week.to_dict()


def test_recorded_open_items_are_those_that_status_shows(filled, kept):
    filled.score(*EIGHT_DAYS)

    open_items = kept.newest("standing")

    assert isinstance(open_items, OpenItemsReading)
    assert open_items.incidents > 0
    assert open_items.labels > 0
    assert open_items.muted == 1  # pressure of pump c
    # Nobody ingested what was due since.
    today = datetime.now(UTC).date()
    assert open_items.unsettled == (today - EIGHT_DAYS[-1]).days - 1


def test_an_answer_is_one_label_less_that_waits(filled, kept):
    filled.score(*EIGHT_DAYS)
    before = kept.newest("standing")
    episode = waiting_for_labels(settings.load(), "pumps", now=datetime.now(UTC)).incidents[0]

    by = Author("ada", datetime.now(UTC))
    labelling.label(settings.load(), "pumps", LabelRequest("incident", incident=episode.id), by)

    assert kept.newest("standing").labels == before.labels - 1


def test_without_a_database_nothing_is_read_or_recorded(filled, monkeypatch):
    monkeypatch.setattr(metrics_hooks, "latent_distance", None)
    monkeypatch.setattr(postgres, "record", None)

    filled.score(*EIGHT_DAYS[:2])
    drifting.judge_days(settings.load(), "pumps", [EIGHT_DAYS[0].isoformat()], run="r")

    assert len(filled.rows("scores"))


def test_a_store_that_is_down_fails_the_task_and_the_retry_records(filled, kept, monkeypatch):
    def down(*_):
        msg = "down"
        raise OutageError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(postgres, "record", down)
        with pytest.raises(OutageError):
            filled.score(*EIGHT_DAYS)
    scorings = filled.rows("scorings")

    filled.score(*EIGHT_DAYS)

    assert sorted(kept.of("scored")) == EIGHT_DAYS
    assert set(scorings["verdict"]) == {"scored"}  # the scoring itself did not fail


@pytest.mark.integration
def test_a_promotion_and_a_scored_day_are_shown_by_a_real_store(house, database, monkeypatch):
    monkeypatch.setenv("PLIMSOLL_DATABASE", database)
    fake = FakeRegistry()
    fake.aliases = {"challenger": 2}
    for module in (promotion, champion):
        monkeypatch.setattr(module, "connect", lambda _: fake)
    monkeypatch.setattr(promotion, "opened", lambda *_, **__: with_digest("d" * 64))
    judged = JudgedCandidate(
        candidate=Candidate("pumps", "2024-02-01-abc", "c", run_id="m1"),
        version=2, passed=True, reason="passed", champion=None, card="x", bundle_sha256="d" * 64,
    )  # fmt: skip
    house.deliver(station())

    promotion.promote(settings.load(), to_json(judged), answer=None, run="r")
    promotion.promote(settings.load(), to_json(judged), answer=None, run="r")
    ingest(*EIGHT_DAYS)
    house.score(*EIGHT_DAYS)
    house.score(EIGHT_DAYS[0])  # a backfill

    held = {each.topic: each for each in postgres.newest(database).readings}
    assert held.keys() == {"live", "trust", "ingested", "scored", "standing"}
    assert isinstance(held["live"].content, LiveReading)
    assert held["live"].content.version == 2
    assert held["scored"].day == EIGHT_DAYS[-1]
