"""Readings as Prometheus metric families. Pure: what a scrape shows follows from its arguments.

Each series is labelled with its detector, and at most with a feature, a rule, a quantile or a DAG,
which have few values; never with a date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pipeline.metrics.postgres import Cost, Newest
from pipeline.metrics.readings import Reading, Topic
from pipeline.utc_day import midnight

_MOST_RULES = 20
_OTHER = "other"

Single = Callable[[Any], float | None]
"""Content of a reading to its value; None: no sample."""
Several = Callable[[Any], Iterable[tuple[str, float]]]
"""Content of a reading to (label, value)."""


@dataclass(frozen=True)
class Gauge:
    """One metric with one sample for each detector."""

    name: str
    documentation: str
    topic: Topic
    value: Single


@dataclass(frozen=True)
class LabelledGauge:
    """One metric with a sample for each value of `label`."""

    name: str
    documentation: str
    topic: Topic
    label: str
    values: Several


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _rules(content: Any) -> list[tuple[str, float]]:
    """Rejected rows of the most frequent rules, and of all others together."""
    ranked = sorted(content.rejected.items(), key=lambda each: (-each[1], each[0]))
    shown = [(rule, float(rows)) for rule, rows in ranked[:_MOST_RULES]]
    left = sum(rows for _, rows in ranked[_MOST_RULES:])
    return [*shown, (_OTHER, float(left))] if left else shown


GAUGES: tuple[Gauge, ...] = (
    Gauge("score_mean", "Mean score of the newest scored day.", "scored", lambda c: c.mean),
    Gauge("score_stddev", "Spread of its scores.", "scored", lambda c: c.stddev),
    Gauge("scored_rows", "Rows with a score on that day.", "scored", lambda c: c.rows),
    Gauge(
        "alert_ratio",
        "Share of its rows above the threshold.",
        "scored",
        lambda c: c.flags / c.rows if c.rows else None,
    ),
    Gauge(
        "alert_budget_ratio",
        "Share of normal rows that may cross the threshold (alpha).",
        "scored",
        lambda c: c.alpha,
    ),
    Gauge("threshold", "The threshold of that day.", "scored", lambda c: c.threshold),
    Gauge("threshold_low", "Lower end of its 95 % interval.", "scored", lambda c: c.low),
    Gauge("threshold_high", "Upper end of its 95 % interval.", "scored", lambda c: c.high),
    Gauge(
        "threshold_drawn_timestamp_seconds",
        "When the live threshold was estimated.",
        "live",
        lambda c: _seconds(c.drawn_at),
    ),
    Gauge(
        "latent_distance",
        "How far the day's mean reconstruction lies from the reference's, in deviations.",
        "drifted",
        lambda c: c.latent,
    ),
    Gauge(
        "score_growth",
        "Kolmogorov-Smirnov distance D of the score since the last accepted state; 0: no rise.",
        "drifted",
        lambda c: c.growth,
    ),
    Gauge(
        "accepted_rows",
        "Rows let through on the newest ingested day.",
        "ingested",
        lambda c: c.accepted,
    ),
    Gauge(
        "completeness_ratio",
        "Share of its expected rows that came with a measurement.",
        "ingested",
        lambda c: c.completeness,
    ),
    Gauge(
        "training_duration_seconds",
        "Wall time of the newest fit.",
        "trained",
        lambda c: c.seconds,
    ),
    Gauge("bundle_version", "Version that is live.", "live", lambda c: c.version),
    Gauge(
        "bundle_created_timestamp_seconds",
        "When its weights were trained.",
        "live",
        lambda c: _seconds(c.trained_at),
    ),
    Gauge(
        "bundle_promoted_timestamp_seconds",
        "When it became live.",
        "live",
        lambda c: _seconds(c.promoted_at),
    ),
    Gauge(
        "incidents_open",
        "Incidents of the newest 30 scored days that nobody has judged.",
        "standing",
        lambda c: c.incidents,
    ),
    Gauge("labels_waiting", "Episodes that wait for a label.", "standing", lambda c: c.labels),
    Gauge(
        "muted_channels",
        "Channels of machines left out of the newest day's scores.",
        "standing",
        lambda c: c.muted,
    ),
    Gauge(
        "threshold_broken_hours",
        "Hours of data for which more rows are flagged than the threshold promises; 0: it holds.",
        "standing",
        lambda c: c.broken,
    ),
    Gauge(
        "ledger_faults",
        "Deviations from the ledger: its proof, the live version, the alias.",
        "trust",
        lambda c: c.faults,
    ),
)

LABELLED: tuple[LabelledGauge, ...] = (
    LabelledGauge(
        "score",
        "Quantiles of the scores of the newest scored day.",
        "scored",
        "quantile",
        lambda c: c.quantiles.items(),
    ),
    LabelledGauge(
        "drift_distance",
        "Kolmogorov-Smirnov distance D of the features furthest moved, and of the score.",
        "drifted",
        "feature",
        lambda c: [(each.feature, each.distance) for each in c.moved],
    ),
    LabelledGauge(
        "drift_q",
        "Chance of that distance without drift, corrected for the number of tests.",
        "drifted",
        "feature",
        lambda c: [(each.feature, each.q) for each in c.moved],
    ),
    LabelledGauge(
        "quarantined_rows",
        "Rows sent to quarantine on the newest ingested day.",
        "ingested",
        "rule",
        _rules,
    ),
)


def families(newest: Newest, *, now: datetime) -> Iterator[Metric]:
    """Every family of a scrape at `now`, but the duration of the scrape itself."""
    by_topic: dict[Topic, list[Reading]] = {}
    for reading in newest.readings:
        by_topic.setdefault(reading.topic, []).append(reading)
    yield from (_gauge(each, by_topic.get(each.topic, [])) for each in GAUGES)
    yield from (_labelled(each, by_topic.get(each.topic, [])) for each in LABELLED)
    yield from _times_of_scoring(by_topic.get("scored", []))
    yield _without_verdict(by_topic.get("standing", []), now.astimezone(UTC).date())
    yield from _costs(newest.costs)
    known = {each.detector for each in newest.readings}
    yield gauge("detectors", "Detectors with a reading.", value=len(known))


def gauge(name: str, documentation: str, *, value: float | None = None) -> GaugeMetricFamily:
    """A gauge of the exporter itself, or with no value one that is labelled by detector."""
    labels = ["detector"] if value is None else None
    return GaugeMetricFamily(f"plimsoll_{name}", documentation, value=value, labels=labels)


def days_without_verdict(open_items: Reading, today: date) -> int:
    """Expected days without verdict: those on record, and those that are due since.

    A day is due at the midnight that ends it, so the number grows where nothing runs any more.
    """
    content: Any = open_items.content
    due = today - open_items.day
    if content.last is not None:
        due = min(due, content.last + date.resolution - open_items.day)
    return int(content.unsettled) + max(0, due.days)


def _gauge(shown: Gauge, readings: Sequence[Reading]) -> GaugeMetricFamily:
    family = gauge(shown.name, shown.documentation)
    for reading in readings:
        value = shown.value(reading.content)
        if value is not None:
            family.add_metric([reading.detector], value)
    return family


def _labelled(shown: LabelledGauge, readings: Sequence[Reading]) -> GaugeMetricFamily:
    labels = ["detector", shown.label]
    family = GaugeMetricFamily(f"plimsoll_{shown.name}", shown.documentation, labels=labels)
    for reading in readings:
        for label, value in shown.values(reading.content):
            family.add_metric([reading.detector, label], value)
    return family


def _times_of_scoring(readings: Sequence[Reading]) -> Iterator[GaugeMetricFamily]:
    day = gauge("last_partition_timestamp_seconds", "Midnight, UTC, of the newest scored day.")
    done = gauge("last_scored_timestamp_seconds", "When that day was scored last.")
    for reading in readings:
        day.add_metric([reading.detector], midnight(reading.day).timestamp())
        done.add_metric([reading.detector], reading.recorded_at.timestamp())
    yield day
    yield done


def _without_verdict(readings: Sequence[Reading], today: date) -> GaugeMetricFamily:
    family = gauge("days_without_verdict", "Expected days that ended in no verdict.")
    for reading in readings:
        family.add_metric([reading.detector], days_without_verdict(reading, today))
    return family


def _costs(costs: Sequence[Cost]) -> Iterator[CounterMetricFamily]:
    labels = ["detector", "dag"]
    used = CounterMetricFamily("plimsoll_cpu_seconds", "Processor time of tasks.", labels=labels)
    ended = CounterMetricFamily("plimsoll_tasks", "Attempts at tasks that ended.", labels=labels)
    for cost in costs:
        used.add_metric([cost.detector, cost.dag], cost.cpu_seconds)
        ended.add_metric([cost.detector, cost.dag], cost.tasks)
    yield used
    yield ended
