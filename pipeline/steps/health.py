"""The health of a detector: all that the command `status` shows, read from the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.incidents import Incident
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.scheduler import Dag
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.candidate import detector_named
from pipeline.steps.open_points import open_points
from pipeline.steps.rollback import unfinished
from pipeline.steps.status import PartitionState, State
from pipeline.steps.trust import LedgerFault, faults_of
from pipeline.store.drift import drift_state
from pipeline.tables import Table

SPANS = (7, 30)
"""Numbers of scored days over which the alert rate is shown."""

_NEWEST = 3


@dataclass(frozen=True)
class LiveVersion:
    """The champion and its threshold, with the 95 % interval; None: unbounded."""

    version: int
    kind: str
    threshold: float | None
    low: float | None
    high: float | None
    trained_on: str


@dataclass(frozen=True)
class OpenIncident:
    """An incident that nobody has judged yet; `feature` is the first to blame."""

    id: str
    kind: str
    entity: str
    start: datetime
    peak: float
    feature: str


@dataclass(frozen=True)
class LatestDrift:
    """The newest drift verdict."""

    day: date
    kind: str
    action: str
    reason: str


@dataclass(frozen=True)
class Health:
    """The state of one detector.

    Attributes:
        detector: its name.
        last_scored: newest day with scores; None without one.
        live: what the ledger says is live; None: nothing.
        faults: differences from the ledger.
        challenger: version that waits; None without one.
        approval: who lets a challenger go live.
        budget: share of normal rows that may be flagged, `threshold.alpha`.
        alert_rate: share of flagged rows over the newest so many scored days.
        open_incidents: incidents of the newest 30 days that nobody has judged.
        newest: the latest of them.
        drift: the newest verdict; None: nothing was judged yet.
        labels_waiting: episodes without a label, of all times.
        audits_waiting: those of them that were sampled for an audit.
        muted: channels left out of the newest scored day's scores, with their machine.
        unfinished_rollback: versions that were rolled back and whose days await new scores.
        partitions: every expected day, and days on record that the schedule does not expect.
        not_loaded: first and last day of an ended history that nobody has loaded yet.
        ended: whether `schedule.end` has passed: nothing starts by itself any more.
        dags: its DAGs as Airflow has them; None: Airflow could not be asked.
    """

    detector: str
    last_scored: date | None
    live: LiveVersion | None
    challenger: int | None
    approval: str
    budget: float
    alert_rate: dict[int, float | None]
    open_incidents: int
    newest: tuple[OpenIncident, ...]
    drift: LatestDrift | None
    labels_waiting: int
    audits_waiting: int
    muted: tuple[str, ...]
    unfinished_rollback: tuple[int, ...]
    partitions: tuple[PartitionState, ...]
    not_loaded: tuple[date, date] | None
    faults: tuple[LedgerFault, ...] = ()
    ended: bool = False
    dags: tuple[Dag, ...] | None = None

    @property
    def due(self) -> tuple[PartitionState, ...]:
        """The days that the schedule expects."""
        return tuple(each for each in self.partitions if each.due)

    @property
    def outside(self) -> tuple[PartitionState, ...]:
        """Days on record that it does not expect, as the detector file is now."""
        return tuple(each for each in self.partitions if not each.due)

    @property
    def paused(self) -> tuple[str, ...] | None:
        """Verbs of the DAGs that are paused; None: unknown."""
        if self.dags is None:
            return None
        return tuple(dag.verb for dag in self.dags if dag.paused)

    @property
    def counts(self) -> dict[State, int]:
        """Expected days by state."""
        return dict(Counter(each.state for each in self.due))

    @property
    def violations(self) -> tuple[PartitionState, ...]:
        """Days without a final state."""
        return tuple(each for each in self.partitions if not each.is_final)

    @property
    def healthy(self) -> bool:
        """Whether no day was skipped silently, none failed, and the ledger has no fault."""
        return not (self.violations or self.counts.get("failed") or self.faults)


def health_of(
    here: Deployment, detector: str, *, now: datetime, dags: Sequence[Dag] | None = None
) -> Health:
    """The health of `detector` at `now`; `dags` are those of Airflow, None: unknown.

    Raises:
        OutageError: the store or MLflow does not answer.
    """
    spec = detector_named(here, detector)
    root, client = here.storage, connect(here)
    points = open_points(here, spec, now=now)
    scored = list(points.scored)
    rows = _champion_rows(root, detector, scored[-max(SPANS) :])
    return Health(
        detector=detector,
        last_scored=scored[-1] if scored else None,
        live=_live(client, here, detector),
        faults=faults_of(here, client, detector, open_bundle=True),
        challenger=promotion.number_of(client, detector, promotion.CHALLENGER),
        approval=spec.promotion.approval,
        budget=spec.threshold.alpha,
        alert_rate={span: _rate(rows, scored[-span:]) for span in SPANS},
        open_incidents=len(points.incidents),
        newest=tuple(_open_incident(each) for each in points.incidents[-_NEWEST:][::-1]),
        drift=_drift(root, spec, scored),
        labels_waiting=points.labels_waiting,
        audits_waiting=points.audits_waiting,
        muted=points.muted,
        unfinished_rollback=unfinished(here, client, detector),
        partitions=points.partitions,
        not_loaded=_not_loaded(spec, points.partitions, now.date()),
        ended=spec.schedule.end is not None and spec.schedule.end < now.date(),
        dags=None if dags is None else tuple(dag for dag in dags if dag.detector == detector),
    )


def _champion_rows(root: str, detector: str, days: list[date]) -> pd.DataFrame:
    rows = tables.read(
        Table(root, detector, "scores"),
        columns=["role", "score", "flag"],
        first_day=days[0] if days else None,
        keep_date=True,
    )
    return rows[rows["role"] == promotion.CHAMPION]


def _rate(rows: pd.DataFrame, days: list[date]) -> float | None:
    judged = rows[rows["date"].isin(days) & rows["score"].notna()]
    return float(judged["flag"].mean()) if len(judged) else None


def _open_incident(incident: Incident) -> OpenIncident:
    return OpenIncident(
        id=incident.id,
        kind=incident.kind,
        entity=incident.entity,
        start=incident.start.to_pydatetime(),
        peak=incident.peak,
        feature=incident.features[0].feature if incident.features else "",
    )


def _live(client: Client, here: Deployment, detector: str) -> LiveVersion | None:
    current = ledger_state.read(here, detector).live
    if current is None:
        return None
    found = versions.by_number(client, detector, current.version)
    return _with_threshold(current.version, found, here.storage, detector)


def _with_threshold(number: int, found: Version | None, root: str, detector: str) -> LiveVersion:
    rows = tables.read(Table(root, detector, "thresholds"))
    rows = rows[rows["version"] == number] if len(rows) else rows
    row = rows.iloc[-1].to_dict() if len(rows) else {}
    value, low, high = (
        None if pd.isna(row.get(name)) else float(row[name])
        for name in ("threshold", "threshold_low", "threshold_high")
    )
    known = found.tags if found else {}
    kind = known.get(tags.KIND, "trained")
    return LiveVersion(number, kind, value, low, high, known.get("trained_on", ""))


def _drift(root: str, spec: DetectorSpec, scored: list[date]) -> LatestDrift | None:
    state = drift_state(root, spec, scored[-1]) if scored else None
    if state is None:
        return None
    ruling = state.ruling
    return LatestDrift(state.day, ruling.kind, ruling.action, ruling.reason)


def _not_loaded(
    spec: DetectorSpec, states: tuple[PartitionState, ...], today: date
) -> tuple[date, date] | None:
    end, one = spec.schedule.end, timedelta(days=1)
    loaded = spec.schedule.start - one
    due = [each.day for each in states if each.due]
    for day in due:
        if day not in (due[0], loaded + one):
            break  # a stray day; the days before it were not loaded
        loaded = day
    if end is None or end >= today or loaded >= end:
        return None
    return loaded + one, end
