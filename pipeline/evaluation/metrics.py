"""Quality of a detector on rows it has never seen, with labels and without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.config import Columns
from pipeline.data.split import incident_rows, labelled_incident, normal_rows
from pipeline.data.timeline import Mask, Timeline, episodes, timeline_from
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.rate import RealisedRate, realised_rate

ALERT_JOIN_ROWS = 4
"""Flags at most this many rows apart are one alert (measured in facts on recalibration)."""


@dataclass(frozen=True)
class EvaluatedRows:
    """n scored rows and their labels; a row may be neither normal nor incident.

    Attributes:
        timeline: time and entity of each row.
        score: shape (n,).
        normal: rows that should not be flagged.
        incident: rows during a known incident; None when no incidents are known.
    """

    timeline: Timeline
    score: NDArray[np.float32]
    normal: Mask
    incident: Mask | None


@dataclass(frozen=True)
class IncidentSeen:
    """A known incident and its flagged rows; one flagged row is a hit.

    Attributes:
        entity: the machine; empty when there is only one.
        start: first row, ISO 8601.
        end: last row.
        rows: number of rows that were scored.
        flagged: number of those above the threshold.
        peak: highest score, in units of the threshold.
    """

    entity: str
    start: str
    end: str
    rows: int
    flagged: int
    peak: float

    @property
    def name(self) -> str:
        """A name that is unique among the incidents of the detector."""
        return f"{self.entity} {self.start}".strip()


@dataclass(frozen=True)
class Detection:
    """Detection of known incidents. Rows that are neither normal nor incident are left out.

    Attributes:
        roc_auc: probability that an incident row scores above a normal one; None without both.
        average_precision: area under the precision-recall curve; None without both.
        precision: share of flagged rows that were incidents; None when nothing was flagged.
        recall: share of incident rows that were flagged.
        incidents: the incidents, in order of entity and time.
    """

    roc_auc: float | None
    average_precision: float | None
    precision: float | None
    recall: float
    incidents: tuple[IncidentSeen, ...]

    @property
    def hit(self) -> int:
        """Number of incidents with at least one flagged row."""
        return sum(seen.flagged > 0 for seen in self.incidents)


@dataclass(frozen=True)
class Evaluation:
    """One detector on one block of rows.

    Attributes:
        rows: number of rows scored.
        days: number of their UTC days.
        start: first timestamp, ISO 8601.
        end: last timestamp.
        threshold: the threshold that was used.
        flags_per_day: rows above the threshold.
        alerts_per_day: flags joined into alerts, the number that a person receives.
        rate: the realised false-positive rate; None when no row is known to be normal.
        detection: None when no incident is known.
    """

    rows: int
    days: int
    start: str
    end: str
    threshold: float
    flags_per_day: float
    alerts_per_day: float
    rate: RealisedRate | None
    detection: Detection | None


def evaluated_rows(
    frame: pd.DataFrame, score: NDArray[np.floating], columns: Columns
) -> EvaluatedRows:
    """Join scores with the evaluation columns of `frame`, row by row (windows: their last row).

    Incidents that people labelled count in addition to those of the source.
    """
    labelled = labelled_incident(frame)
    incident = labelled if labelled.any() else None
    if columns.incident is not None:
        incident = incident_rows(frame, columns)
    normal = normal_rows(frame, columns)
    return EvaluatedRows(timeline_from(frame, columns), score.astype(np.float32), normal, incident)


def evaluate(rows: EvaluatedRows, threshold: ThresholdEstimate) -> Evaluation:
    """Measure a detector on `rows`, which its training and its threshold must not have used."""
    flagged = rows.score > threshold.value
    days = max(1, rows.timeline.days)
    time = pd.DatetimeIndex(rows.timeline.time_ns, tz="UTC")
    return Evaluation(
        rows=len(rows.score),
        days=rows.timeline.days,
        start=time.min().isoformat() if len(time) else "",
        end=time.max().isoformat() if len(time) else "",
        threshold=float(threshold.value),
        flags_per_day=float(flagged.sum()) / days,
        alerts_per_day=alerts(flagged, rows.timeline) / days,
        rate=realised_rate(rows.score, rows.normal, rows.timeline, threshold),
        detection=detection(rows, threshold.value),
    )


def incidents_caught(incidents: Iterable[IncidentSeen]) -> tuple[str, ...]:
    """Names of the incidents with a flagged row, for the gate's check of confirmed incidents."""
    return tuple(incident.name for incident in incidents if incident.flagged)


def alerts(flagged: Mask, timeline: Timeline) -> int:
    """Number of alerts that the flags are joined into."""
    return sum(1 for _ in episodes(flagged, timeline, join_rows=ALERT_JOIN_ROWS))


def detection(rows: EvaluatedRows, threshold: float) -> Detection | None:
    """Detection of the known incidents at `threshold`; None when the rows contain none."""
    if rows.incident is None or not rows.incident.any():
        return None
    known = rows.normal | rows.incident
    score, incident = rows.score[known], rows.incident[known]
    flagged = score > threshold
    both = bool(rows.normal.any())
    return Detection(
        roc_auc=float(roc_auc_score(incident, score)) if both else None,
        average_precision=float(average_precision_score(incident, score)) if both else None,
        precision=float(incident[flagged].mean()) if flagged.any() else None,
        recall=float(flagged[incident].mean()),
        incidents=tuple(_incidents_seen(rows, threshold)),
    )


def _incidents_seen(rows: EvaluatedRows, threshold: float) -> list[IncidentSeen]:
    if rows.incident is None:
        return []
    return [
        IncidentSeen(
            entity=episode.entity,
            start=episode.start.isoformat(),
            end=episode.end.isoformat(),
            rows=len(episode.rows),
            flagged=int((rows.score[episode.rows] > threshold).sum()),
            peak=float(rows.score[episode.rows].max()) / threshold,
        )
        for episode in episodes(rows.incident, rows.timeline)
    ]
