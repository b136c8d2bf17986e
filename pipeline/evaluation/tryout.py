"""Tryout of a bundle on rows it has never seen: all measurements for the gate and the card."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.config import Columns
from pipeline.data.split import normal_rows
from pipeline.data.timeline import subset, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values, unchecked_values
from pipeline.detector.inputs.windows import windows
from pipeline.evaluation.diagnostics import NO_RECONSTRUCTION, Diagnosis, diagnose
from pipeline.evaluation.file_order import in_file_order
from pipeline.evaluation.injection import FaultOutcome, Trial, inject, lead_of
from pipeline.evaluation.metrics import (
    EvaluatedRows,
    Evaluation,
    IncidentSeen,
    detection,
    evaluate,
    evaluated_rows,
)
from pipeline.evaluation.partial_rate import PartialRates
from pipeline.scoring import score_rows

_LATENCY_ROWS = 1000
_LATENCY_TRIES = 3


@dataclass(frozen=True)
class EpisodeChoice:
    """Which episodes of a block get faults; the same choice and block give the same episodes.

    Attributes:
        seed: of their places and of the signs of faults.
        lead: healthy rows before each episode, at least.
    """

    seed: int
    lead: int = 0


def common_choice(bundle: Bundle, other: Bundle) -> EpisodeChoice:
    """Episodes that both can be tried on."""
    leads = [lead_of(each.schema.window, each.postprocessing) for each in (bundle, other)]
    return EpisodeChoice(bundle.description.network.seed, max(leads))


@dataclass(frozen=True)
class Tryout:
    """The results of a bundle on a block of rows.

    Attributes:
        evaluation: rates and, where incidents are known, detection.
        diagnosis: health of the network.
        faults: outcomes of the injected faults.
        latency_ms: time to score 1,000 rows, best of three.
        bundle_mb: size of its files, in megabytes.
        confirmed_incidents: detection of confirmed incidents on days outside the block.
        partial: rates of normal rows without a channel; None: not measured, or no row can be so.
    """

    evaluation: Evaluation
    diagnosis: Diagnosis
    faults: tuple[FaultOutcome, ...]
    latency_ms: float
    bundle_mb: float
    confirmed_incidents: tuple[IncidentSeen, ...] = ()
    partial: PartialRates | None = None

    @property
    def incidents(self) -> tuple[IncidentSeen, ...]:
        """All known incidents: those of the block, then the other confirmed ones."""
        found = self.evaluation.detection
        return (*(found.incidents if found else ()), *self.confirmed_incidents)


def judge(bundle: Bundle, frame: pd.DataFrame, columns: Columns) -> EvaluatedRows:
    """The rows of `frame` that a full window ends at, with their scores and labels."""
    scored = score_rows(bundle, frame)
    kept = frame[scored.complete].reset_index(drop=True)
    return evaluated_rows(kept, scored.score[scored.complete], columns)


def try_out(
    bundle: Bundle,
    frame: pd.DataFrame,
    columns: Columns,
    rows: EvaluatedRows,
    confirmed_incidents: pd.DataFrame,
    *,
    choice: EpisodeChoice | None = None,
) -> Tryout:
    """Measure `bundle` on the test rows in `frame`; `rows` is the result of `judge` for them.

    `confirmed_incidents` holds rows of other days that have confirmed incidents; it may be empty.
    Without a `choice` episodes are chosen by the bundle's own seed.
    """
    timeline = timeline_from(frame, columns)
    values = feature_values(frame, bundle.schema)
    cut = windows(values, bundle.schema.window, timeline)
    normal = rows.normal
    seed = bundle.description.network.seed
    return Tryout(
        evaluation=evaluate(rows, bundle.description.threshold),
        diagnosis=diagnose(bundle.graph.reconstruct, cut.rows[normal], seed=seed)
        if bundle.description.network.by_reconstruction
        else NO_RECONSTRUCTION,
        faults=faults_in(bundle, frame, columns, choice or EpisodeChoice(seed)),
        latency_ms=_latency_ms(bundle, frame),
        bundle_mb=sum(path.stat().st_size for path in bundle.folder.iterdir()) / 1e6,
        confirmed_incidents=_confirmed_seen(bundle, confirmed_incidents, columns),
    )


def faults_in(
    bundle: Bundle, frame: pd.DataFrame, columns: Columns, choice: EpisodeChoice
) -> tuple[FaultOutcome, ...]:
    """Faults injected into the normal rows of `frame`, in the channels of `columns`."""
    held = np.flatnonzero(normal_rows(frame, columns))
    ordered = in_file_order(bundle, columns)
    schema = replace(bundle.schema, features=ordered.features)
    return inject(
        Trial(
            scorer=ordered.score,
            threshold=bundle.threshold,
            rows=unchecked_values(frame, schema)[held],
            timeline=subset(timeline_from(frame, columns), held),
            columns=columns,
            window=bundle.schema.window,
            seed=choice.seed,
            postprocessing=ordered.postprocessing,
            least_lead=choice.lead,
        )
    )


def _confirmed_seen(
    bundle: Bundle, frame: pd.DataFrame, columns: Columns
) -> tuple[IncidentSeen, ...]:
    if frame.empty:
        return ()
    found = detection(judge(bundle, frame, columns), bundle.threshold)
    return found.incidents if found else ()


def _latency_ms(bundle: Bundle, frame: pd.DataFrame) -> float:
    rows = frame.iloc[:_LATENCY_ROWS]
    took = []
    for _ in range(_LATENCY_TRIES):
        began = time.perf_counter()
        score_rows(bundle, rows)
        took.append(time.perf_counter() - began)
    return min(took) * 1000 * _LATENCY_ROWS / max(1, len(rows))
