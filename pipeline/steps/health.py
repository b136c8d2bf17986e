"""The health of a detector: all that the command `status` shows, read from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.incidents import Incident
from pipeline.monitoring.health import Health, LatestDrift, LiveVersion, OpenIncident, not_loaded
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.scheduler import Dag
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.candidate import detector_named
from pipeline.steps.cases_on_record import open_on
from pipeline.steps.open_items import open_items
from pipeline.steps.rollback_target import unfinished
from pipeline.steps.trust import faults_of
from pipeline.store.drift import drift_state
from pipeline.store.scores import champion_scores
from pipeline.store.thresholds import read_thresholds

SPANS = (7, 30)
"""Numbers of scored days over which the alert rate is shown."""

_NEWEST = 3


def health_of(
    here: Deployment,
    detector: str,
    *,
    now: datetime,
    dags: Sequence[Dag] | None = None,
    from_tables: bool = False,
) -> Health:
    """The health of `detector` at `now`; `dags` are those of Airflow, None: unknown.

    With `from_tables` every file of every day is read, and no record of a day is believed.

    Raises:
        OutageError: the store or MLflow does not answer.
    """
    spec = detector_named(here, detector)
    client = connect(here)
    items = open_items(here, spec, now=now, from_tables=from_tables)
    scored = list(items.scored)
    rows = _champion_rows(here, detector, scored[-max(SPANS) :])
    waits = versions.by_alias(client, detector, promotion.CHALLENGER)
    return Health(
        detector=detector,
        last_scored=scored[-1] if scored else None,
        live=_live(client, here, detector),
        faults=faults_of(here, client, detector, open_bundle=True),
        challenger=waits.number if waits else None,
        challenger_run=tags.judged_in(waits, detector) if waits else "",
        approval=spec.promotion.approval,
        budget=spec.threshold.alpha,
        alert_rate={span: _rate(rows, scored[-span:]) for span in SPANS},
        open_incidents=len(items.incidents),
        newest=tuple(_open_incident(each) for each in items.incidents[-_NEWEST:][::-1]),
        drift=_drift(here, spec, scored),
        labels_waiting=items.labels_waiting,
        audits_waiting=items.audits_waiting,
        muted=items.muted,
        undecided=items.undecided,
        unfinished_rollback=unfinished(here, client, detector),
        partitions=items.partitions,
        not_loaded=not_loaded(spec, items.partitions, now.date()),
        ended=spec.schedule.end is not None and spec.schedule.end < now.date(),
        dags=None if dags is None else tuple(dag for dag in dags if dag.detector == detector),
        open_cases=open_on(here, detector, scored[-1], now=now) if scored else (),
        broken=items.broken,
    )


def _champion_rows(here: Deployment, detector: str, days: list[date]) -> pd.DataFrame:
    first = days[0] if days else None
    return champion_scores(here, detector, ["date", "score", "flag"], first=first)


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
        channel=incident.features[0].channel if incident.features else "",
    )


def _live(client: Client, here: Deployment, detector: str) -> LiveVersion | None:
    current = ledger_state.read(here, detector).live
    if current is None:
        return None
    found = versions.by_number(client, detector, current.version)
    return _with_threshold(here, detector, current.version, found)


def _with_threshold(
    here: Deployment, detector: str, number: int, found: Version | None
) -> LiveVersion:
    names = ("threshold", "threshold_low", "threshold_high")
    rows = read_thresholds(here, detector, ["version", *names])
    rows = rows[rows["version"] == number]
    row = rows.iloc[-1].to_dict() if len(rows) else {}
    value, low, high = (None if pd.isna(row.get(name)) else float(row[name]) for name in names)
    known = found.tags if found else {}
    kind = known.get(tags.KIND, "trained")
    return LiveVersion(
        number,
        kind,
        value,
        low,
        high,
        known.get("trained_on", ""),
        known.get(tags.PROVISIONAL, ""),
    )


def _drift(here: Deployment, spec: DetectorSpec, scored: list[date]) -> LatestDrift | None:
    state = drift_state(here, spec, scored[-1]) if scored else None
    if state is None:
        return None
    ruling = state.ruling
    return LatestDrift(state.day, ruling.kind, ruling.action, ruling.reason)
