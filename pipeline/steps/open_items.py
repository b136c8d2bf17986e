"""Open items: days without a final state, incidents, labels, muted channels, a broken threshold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from pipeline.cases.records import SHIFT
from pipeline.config import DetectorSpec
from pipeline.data.decision import newest_about
from pipeline.incidents import Incident
from pipeline.incidents.parts import FAULT, largest_gaps
from pipeline.incidents.unanswered import Unanswered, unanswered
from pipeline.monitoring.broken_threshold import BrokenThreshold
from pipeline.monitoring.day_status import PartitionState, states_on_record
from pipeline.settings import Deployment
from pipeline.steps.threshold_watch import broken_threshold
from pipeline.store.cases import cases_after
from pipeline.store.day_records import DayRecord
from pipeline.store.days import day_records, records_from_tables
from pipeline.store.decisions import decisions_as_of
from pipeline.store.incidents import incidents_between
from pipeline.store.scores import muted_on, scored_days
from pipeline.utc_day import ONE_DAY

_SPAN = timedelta(days=30)


@dataclass(frozen=True)
class OpenItems:
    """The open items of a detector.

    Attributes:
        partitions: every expected day, and days on record that the schedule does not expect.
        scored: days with scores, oldest first.
        incidents: those of the newest 30 scored days that nobody has judged, by start.
        labels_waiting: episodes without a label, of all times.
        audits_waiting: those of them that were sampled for an audit.
        muted: channels left out of the newest scored day's scores, with their machine.
        undecided: those of them that nobody has decided about.
        broken: that the threshold does not hold after the newest scored day; None: it does.
    """

    partitions: tuple[PartitionState, ...]
    scored: tuple[date, ...]
    incidents: tuple[Incident, ...]
    labels_waiting: int
    audits_waiting: int
    muted: tuple[str, ...]
    undecided: tuple[str, ...]
    broken: BrokenThreshold | None

    @property
    def violations(self) -> tuple[PartitionState, ...]:
        """Days without a final state."""
        return tuple(each for each in self.partitions if not each.is_final)


def open_items(
    here: Deployment, spec: DetectorSpec, *, now: datetime, from_tables: bool = False
) -> OpenItems:
    """The open items at `now`; `from_tables` reads every file of every day to know them.

    Raises:
        OutageError: the store does not answer.
    """
    scored = scored_days(here, spec.name)
    read = records_from_tables if from_tables else day_records
    records = read(here, spec.name)
    waiting = _unanswered(spec, records, now)
    muted = _muted(here, spec.name, scored)
    decisions = decisions_as_of(here, spec.name, now) if muted else ()
    undecided = [each for each in muted if newest_about(decisions, *each) is None]
    return OpenItems(
        partitions=states_on_record(spec, records, now.astimezone(UTC).date()),
        scored=tuple(scored),
        incidents=tuple(_open(here, spec, scored, waiting.ids)),
        labels_waiting=len(waiting.ids),
        audits_waiting=waiting.audits,
        muted=tuple(_described(*each) for each in muted),
        undecided=tuple(_described(*each) for each in undecided),
        broken=broken_threshold(here, spec, scored[-1], now=now) if scored else None,
    )


def _unanswered(spec: DetectorSpec, records: Mapping[date, DayRecord], now: datetime) -> Unanswered:
    within, _ = largest_gaps(spec)
    return unanswered(
        [each.flagged for each in records.values()],
        within,
        [span for each in records.values() for span in each.judged if span.created_at <= now],
        sampled={episode for each in records.values() for episode in each.sampled},
        minimum_rows=spec.incidents.minimum_rows,
    )


def _open(
    here: Deployment, spec: DetectorSpec, scored: list[date], waiting: Collection[str]
) -> list[Incident]:
    """Incidents of the newest 30 days without a label, and shifts that have not ended.

    No data faults: they ask for a repair and not for an answer, and the state of the day says so.
    """
    if not scored:
        return []
    last = pd.Timestamp(scored[-1], tz="UTC")
    first = scored[-1] - _SPAN + ONE_DAY
    found = incidents_between(here, spec, first, scored[-1])
    return [
        each
        for each in found
        if each.status == "raised"
        and each.kind != FAULT
        and (each.id in waiting if each.kind == "anomaly" else each.end >= last)
    ]


def muted_channels(here: Deployment, detector: str) -> tuple[tuple[str, str], ...]:
    """The channels that the newest scored day left out, each with its machine or an empty name."""
    return _muted(here, detector, scored_days(here, detector))


def shifted_since(here: Deployment, detector: str) -> dict[tuple[str, str], datetime]:
    """First row of each unresolved shift, by channel and machine; the name may be empty.

    Raises:
        OutageError: the store does not answer.
    """
    unresolved = cases_after(here, detector, date.max)
    return {(case.key[2], case.key[1]): case.start for case in unresolved if case.kind == SHIFT}


def _muted(here: Deployment, detector: str, scored: list[date]) -> tuple[tuple[str, str], ...]:
    return muted_on(here, detector, scored[-1]) if scored else ()


def _described(channel: str, entity: str) -> str:
    return f"{channel} on {entity}" if entity else channel
