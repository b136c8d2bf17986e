"""The first version of a young station, and the months after its training."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.lasting.blacksmith_fork import FIRST, MARK, StationDays
from benchmarks.lasting.eight_channels import TrainedVersion, judged
from benchmarks.lasting.recalibrated_days import Operated, OperatedRows, ServingThreshold, operated
from benchmarks.lasting.scored_days import scored_days
from pipeline.config import DetectorSpec
from pipeline.data.forward_test import ForwardTest
from pipeline.data.grid import day_number
from pipeline.data.timeline import Mask, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.gate import GateVerdict, decide
from pipeline.incidents.parts import IncidentPart, day_parts, largest_gaps
from pipeline.monitoring.provisional import is_provisional, provisional
from pipeline.recalibration import Recalibrated, WindowRows
from pipeline.recalibration.ancestry import anchor_of
from pipeline.scoring import score_rows
from pipeline.steps.recalibrating import memory_of
from pipeline.steps.recalibration_facts import thresholds_compared
from pipeline.utc_day import DAY_NS, ONE_DAY

YOUNG = timedelta(days=90)
ASKED_UNTIL = date(2019, 12, 31)
"""Nine months after the training; the source goes on in the new year, which is reported too."""


@dataclass(frozen=True)
class StationRows:
    """The n rows after the training, scored.

    Attributes:
        rows: as they are operated.
        unmuted: scores with nothing muted, shape (n,).
        normal: rows that technicians left alone, shape (n,).
        muted: how many rows lack each channel.
        blamed: by row of a false alarm of the first threshold, the channel that carries it.
    """

    rows: OperatedRows
    unmuted: NDArray[np.float64]
    normal: Mask
    muted: dict[str, Mask]
    blamed: NDArray[np.str_]


@dataclass(frozen=True)
class YoungStation:
    """The first version and its life.

    Attributes:
        threshold: of the first version.
        gate: the verdict on it.
        needed: independent rows with which it would count as confirmed.
        delivered: times of the rows of the source.
        scored: the rows after the training.
        accepted: operated by somebody who accepts each question.
        unanswered: operated by nobody.
        forward: what its first days say of its last ones.
    """

    threshold: ThresholdEstimate
    gate: GateVerdict
    needed: int
    delivered: pd.Series
    scored: StationRows
    accepted: Operated
    unanswered: Operated
    forward: ForwardTest | None = None

    def stated(self, threshold: ThresholdEstimate) -> tuple[float, float]:
        """The rates that a version with this threshold says may come."""
        found = provisional(
            threshold, None, None, needed=self.needed, minimum_days=1, forward=self.forward
        )
        return threshold.rate_interval if found is None else found.rate

    @property
    def provisional(self) -> bool:
        """Whether the first version is."""
        return is_provisional(self.threshold, needed=self.needed)

    @property
    def thresholds(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Score and threshold of each row, by the way it is operated."""
        score, first = (
            self.scored.rows.score,
            np.full(len(self.scored.normal), self.threshold.value),
        )
        return {
            "first threshold, shifts muted": (score, first),
            "first threshold, nothing muted": (self.scored.unmuted, first),
            "operated, questions accepted": (score, self.accepted.threshold),
            "operated, nobody answers": (score, self.unanswered.threshold),
        }


def first_days(days: StationDays) -> Mask:
    """The rows of the training."""
    first: Mask = (days.telemetry["timestamp"].dt.date < FIRST + YOUNG).to_numpy(dtype=bool)
    return first


def young_station(
    days: StationDays, version: TrainedVersion, forward: ForwardTest | None = None
) -> YoungStation:
    """Judge the first version, and live through the days after its training."""
    spec, bundle = days.spec, version.bundle
    scored = scored_station(bundle, days.telemetry, spec)
    until, threshold = FIRST + YOUNG - ONE_DAY, bundle.description.threshold
    first = ServingThreshold(threshold, anchor_of(bundle), memory_of(bundle), until + ONE_DAY)
    gate = partial(failed_checks, bundle, spec)
    return YoungStation(
        threshold,
        judged(version, spec),
        spec.gate.minimum_calibration_rows,
        days.delivered,
        scored,
        operated(scored.rows, first, until, spec, gate, accept=True),
        operated(scored.rows, first, until, spec, gate, accept=False),
        forward,
    )


def failed_checks(
    bundle: Bundle,
    spec: DetectorSpec,
    window: WindowRows,
    result: Recalibrated,
    live: ThresholdEstimate,
    accepted: str,
) -> tuple[str, ...]:
    """What a recalibration fails at the gate, as the step of the recalibrate DAG asks it."""
    compared = thresholds_compared(window, result, bundle, spec, live=live, accepted=accepted)
    verdict = decide(compared.facts, compared.champion, spec.gate)
    return tuple(each.name for each in verdict.results if each.verdict == "fail")


def scored_station(bundle: Bundle, telemetry: pd.DataFrame, spec: DetectorSpec) -> StationRows:
    """The rows after the training, day by day as in operation."""
    last = telemetry["timestamp"].iloc[-1].date()
    found = list(scored_days(bundle, telemetry, spec, FIRST + YOUNG, last))
    frame = pd.concat([each.frame for each in found], ignore_index=True)
    timeline, parts = timeline_from(frame, spec.columns), list[IncidentPart]()
    for each in found:
        own = timeline_from(each.frame, spec.columns)
        parts += day_parts(each.judged, own, 1, *largest_gaps(spec))
    names = np.array(found[0].judged.shifts.channels)
    muted: Mask = np.concatenate([each.judged.shifts.muted for each in found])
    blame = np.concatenate([each.judged.found for each in found])
    flagged = np.concatenate([each.judged.flagged for each in found])
    return StationRows(
        OperatedRows(
            timeline,
            np.concatenate([each.judged.score for each in found]),
            np.asarray(muted.any(axis=1)),
            tuple(parts),
        ),
        score_rows(bundle, frame).score,
        ~frame[MARK].to_numpy(dtype=bool),
        {str(name): muted[:, place] for place, name in enumerate(names)},
        np.where(flagged, names[blame.argmax(axis=1)], ""),
    )


def asked_rows(station: YoungStation) -> Mask:
    """The rows of the nine months that are asked about."""
    asked: Mask = station.scored.rows.timeline.time_ns // DAY_NS <= day_number(ASKED_UNTIL)
    return asked


def realised(station: YoungStation, kept: Mask) -> dict[str, float]:
    """Share of the normal among the `kept` rows that are flagged, by the way of operating."""
    rows = kept & station.scored.normal
    return {
        name: float((score > threshold)[rows].mean())
        for name, (score, threshold) in station.thresholds.items()
    }
