"""The metrics of a scrape from readings."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from pipeline.metrics.families import days_without_verdict, families
from pipeline.metrics.postgres import Cost, Newest
from pipeline.metrics.readings import IngestedReading, OpenItemsReading
from tests.metrics.made import CONTENTS, DAY, NOON, SCORED, every_topic, reading

COST = Cost("pumps", "train", 12.5, 3)
NAMES = {
    "score", "score_mean", "score_stddev", "scored_rows", "alert_ratio", "alert_budget_ratio",
    "threshold", "threshold_low", "threshold_high", "threshold_drawn_timestamp_seconds",
    "last_partition_timestamp_seconds", "last_scored_timestamp_seconds", "days_without_verdict",
    "drift_distance", "drift_q", "latent_distance", "score_growth", "accepted_rows",
    "quarantined_rows", "completeness_ratio", "training_duration_seconds", "bundle_version",
    "bundle_created_timestamp_seconds", "bundle_promoted_timestamp_seconds", "incidents_open",
    "ledger_faults", "threshold_broken_hours",
    "labels_waiting", "muted_channels", "cpu_seconds", "tasks", "detectors",
}  # fmt: skip


def samples(newest: Newest, now: datetime = NOON) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels behind the detector's."""
    return {
        (sample.name.removeprefix("plimsoll_"), *list(sample.labels.values())[1:]): sample.value
        for family in families(newest, now=now)
        for sample in family.samples
    }


def test_the_families_are_those_that_rules_and_dashboards_ask_for():
    found = {family.name for family in families(Newest(tuple(every_topic()), (COST,)), now=NOON)}

    assert found == {f"plimsoll_{name}" for name in NAMES}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (("score", "0.95"), 3.0),
        (("alert_ratio",), 0.02),
        (("alert_budget_ratio",), 0.01),
        (("threshold",), 4.0),
        (("last_partition_timestamp_seconds",), datetime(2026, 3, 2, tzinfo=UTC).timestamp()),
        (("last_scored_timestamp_seconds",), NOON.timestamp()),
        (("drift_distance", "flow"), 0.4),
        (("drift_q", "score"), 0.5),
        (("latent_distance",), 0.7),
        (("quarantined_rows", "duplicate"), 4),
        (("bundle_version",), 3),
        (("bundle_promoted_timestamp_seconds",), NOON.timestamp()),
        (("incidents_open",), 2),
        (("cpu_seconds_total", "train"), 12.5),
        (("tasks_total", "train"), 3),
        (("detectors",), 1),
    ],
)
def test_a_value_is_shown_as_it_was_read(name, value):
    assert samples(Newest(tuple(every_topic()), (COST,)))[name] == value


@pytest.mark.parametrize(
    ("topic", "changes", "absent"),
    [
        ("scored", {"high": None}, "threshold_high"),
        ("scored", {"rows": 0, "flags": 0}, "alert_ratio"),
        ("live", {"trained_at": None}, "bundle_created_timestamp_seconds"),
        ("drifted", {"latent": None}, "latent_distance"),
        ("drifted", {"growth": None}, "score_growth"),
        ("ingested", {"completeness": None}, "completeness_ratio"),
    ],
)
def test_what_is_not_known_has_no_sample(topic, changes, absent):
    content = dataclasses.replace(CONTENTS[topic], **changes)

    found = samples(Newest((reading(topic, content),), ()))

    assert (absent,) not in found
    assert (absent, "") not in found


def test_every_series_has_its_detector_and_none_has_a_date():
    found = families(Newest(tuple(every_topic()), (COST,)), now=NOON)

    labels = [sample.labels for family in found for sample in family.samples]

    assert [each for each in labels if "detector" not in each] == [{}]  # plimsoll_detectors
    extra = {name for each in labels for name in each}
    assert extra == {"detector", "quantile", "feature", "rule", "dag"}


def test_rules_beyond_twenty_are_shown_together():
    many = IngestedReading(0, {f"rule{n:02}": 30 - n for n in range(25)}, None)

    found = samples(Newest((reading("ingested", many),), ()))

    rules = {name[1]: rows for name, rows in found.items() if name[0] == "quarantined_rows"}
    assert len(rules) == 21
    assert rules["other"] == sum(30 - n for n in range(20, 25))


@pytest.mark.parametrize(
    ("unsettled", "last_after", "days_later", "expected"),
    [
        (0, None, 0, 0),
        (2, None, 0, 2),
        (2, None, 3, 5),  # nothing ran for three days
        (0, -10, 3, 0),  # a history that has ended expects nothing more
        (0, 0, 5, 1),  # its last day was today
    ],
)
def test_days_without_verdict_grow_while_nothing_runs(unsettled, last_after, days_later, expected):
    last = None if last_after is None else DAY + timedelta(days=last_after)
    open_items = reading("standing", OpenItemsReading(0, 0, 0, unsettled, last))

    assert days_without_verdict(open_items, DAY + timedelta(days=days_later)) == expected


def test_what_is_shown_can_be_parsed_by_prometheus():
    class Fixed(Collector):
        def collect(self):
            return families(Newest(tuple(every_topic()), (COST,)), now=NOON)

    registry = CollectorRegistry()
    registry.register(Fixed())

    text = generate_latest(registry).decode()

    assert 'plimsoll_score{detector="pumps",quantile="0.5"} 1.0' in text
    assert SCORED.quantiles["0.5"] == 1.0
