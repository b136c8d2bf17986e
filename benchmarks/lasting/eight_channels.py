"""A made plant of eight channels, its faults, and the gate of a version that is trained on it.

Rows of ten minutes. A load with a daily wave drives most channels, a slow wave (17 hours) some, and
each has noise of its own. It is stationary: two windows differ by chance alone.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.lasting.intervals import A_DAY, waves
from pipeline.cases import CaseSpan
from pipeline.config import Columns, DetectorSpec, Feature, ParquetSource, Schedule
from pipeline.data.split import rows_for, split
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.training.calibrated_bundle import calibrated_bundle
from pipeline.detector.training.refit import FitSettings, fit_held_back
from pipeline.drift import judge_drift
from pipeline.drift.observed import reference_sample, sample_of
from pipeline.evaluation.tryout import judge, try_out
from pipeline.gate import GateVerdict, decide
from pipeline.gate.facts import OpenShift
from pipeline.registry.versions import Version
from pipeline.scoring import score_rows
from pipeline.steps.comparing import compare, open_case_flags, open_shifts
from pipeline.steps.live import LoadedVersion
from pipeline.steps.shifted_cells import CellReplacement
from pipeline.steps.training_gate import trained_facts

DAYS = 90
CHANNELS = ("power", "heat", "oil", "pressure", "current", "shaking", "flow", "turns")
_START = pd.Timestamp("2021-01-01", tz="UTC")
_TRIED_DAYS = 30
_FAULT_ROWS = 18  # three hours
_STARTS = (20, 92)  # of the two faults of a day
_LENGTHS = (10, 60)  # rows of an unlabelled episode

Vector = NDArray[np.float64]


def plant_spec() -> DetectorSpec:
    """The detector file of the plant: all settings are the defaults."""
    columns = Columns(
        cadence=timedelta(minutes=10),
        features={name: Feature(unit="1") for name in CHANNELS},
    )
    return DetectorSpec(
        name="eight_channels",
        source=ParquetSource(kind="parquet", path="unused"),
        schema=columns,
        schedule=Schedule(start=_START.date()),
    )


def plant_rows(days: int, seed: int, *, first_day: int = 0) -> pd.DataFrame:
    """The rows of `days` days; other first days of one seed are other draws of one plant."""
    random = np.random.default_rng([seed, first_day])
    n = days * A_DAY
    place = np.arange(n) + first_day * A_DAY
    load = waves(random, 0.95, n) + 0.8 * np.sin(2 * np.pi * place / A_DAY)
    slow = waves(random, 0.99, n)

    def noise(spread: float, rho: float = 0.5) -> Vector:
        return spread * waves(random, rho, n)

    values = (
        load,
        0.7 * load + 0.5 * slow + noise(0.3, 0.9),
        0.5 * load + 0.6 * slow + noise(0.3, 0.9),
        0.5 * load + 0.3 * load**2 + noise(0.25),
        load + noise(0.2),
        0.4 * np.abs(load) + noise(0.35, 0.2),
        0.8 * load - 0.2 * slow + noise(0.25),
        np.tanh(load) + noise(0.1),
    )
    frame = pd.DataFrame(dict(zip(CHANNELS, values, strict=True)), dtype=np.float32)
    time = _START + pd.to_timedelta(place * 10, unit="min")
    return frame.assign(timestamp=pd.DatetimeIndex(time).as_unit("ns"))


def contaminated(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """`frame` with unlabelled episodes of one channel each, 4 to 5 sd, in a share of the rows."""
    random = np.random.default_rng([seed, 7])
    values = frame[list(CHANNELS)].to_numpy(copy=True)
    spread, faulty = values.std(axis=0), np.zeros(len(frame), dtype=bool)
    while faulty.sum() < share * len(frame):
        rows = int(random.integers(*_LENGTHS))
        start, channel = int(random.integers(len(frame) - rows)), random.integers(len(CHANNELS))
        values[start : start + rows, channel] += (
            spread[channel] * random.uniform(4, 5) * random.choice([-1, 1])
        )
        faulty[start : start + rows] = True
    return frame.assign(**dict(zip(CHANNELS, values.T, strict=True)))


@dataclass(frozen=True)
class TrainedVersion:
    """A version and the rows of its test block."""

    bundle: Bundle
    test: pd.DataFrame


def trained(frame: pd.DataFrame, spec: DetectorSpec, folder: Path) -> TrainedVersion:
    """Split, fit, calibrate and write, as the train DAG does."""
    blocks = split(frame, spec)
    settings = FitSettings(schema_for(spec), spec.model, spec.score, spec.threshold.alpha)
    fitted = fit_held_back(blocks.train, settings)
    last = frame[spec.columns.timestamp].iloc[-1].date()
    made_here = Provenance({"last_day": last.isoformat()}, "", "")
    bundle = calibrated_bundle(fitted, blocks.calibration, spec, folder, provenance=made_here)
    return TrainedVersion(bundle, rows_for(blocks.test, "test"))


def filled_by(live: Bundle) -> CellReplacement:
    """Shifted cells are filled in by this live version."""
    return CellReplacement(LoadedVersion(Version(1, "", "", {}, ""), live))


@dataclass(frozen=True)
class OpenRows:
    """The rows of open cases as they were measured, and the spans of shifts among them."""

    frame: pd.DataFrame
    shifts: tuple[CaseSpan, ...]


def judged(
    version: TrainedVersion,
    spec: DetectorSpec,
    champion: Bundle | None = None,
    open_rows: OpenRows | None = None,
) -> GateVerdict:
    """The gate's verdict, as the step of the train DAG takes it; there are no incidents.

    The successor of `champion` must still flag `open_rows`, and leave shifts outside its ranges.
    """
    bundle, frame = version.bundle, version.test
    none = frame.iloc[:0]
    tried = try_out(bundle, frame, spec.columns, judge(bundle, frame, spec.columns), none)
    drift = judge_drift(
        reference_sample(bundle),
        sample_of(bundle, frame, spec.columns),
        columns=spec.columns,
        limits=spec.drift,
        rate=tried.evaluation.rate,
    )
    compared = None if champion is None else compare(1, champion, bundle, frame, none, spec)
    flags, shifts = None, tuple[OpenShift, ...]()
    if champion is not None and open_rows is not None:
        flags = open_case_flags(champion, bundle, open_rows.frame)
        shifts = open_shifts(champion, bundle, open_rows.frame, open_rows.shifts, spec)
    facts = trained_facts(
        bundle, tried, drift, spec.gate, compared, open_cases=flags, open_shifts=shifts
    )
    # What this machine takes is no matter of the version.
    facts = replace(facts, latency_ms=min(facts.latency_ms, spec.gate.maximum_latency_ms))
    return decide(facts, compared.facts if compared else None, spec.gate)


@dataclass(frozen=True)
class LaterDays:
    """What a version does on later days of the same plant.

    Attributes:
        rate: share of normal rows that it flags.
        caught: share of three-hour faults of 4 sd, in one channel each, with a flagged row.
    """

    rate: float
    caught: float


def seen(bundle: Bundle, seed: int) -> LaterDays:
    """Sixty faults in thirty later days."""
    normal = plant_rows(_TRIED_DAYS, seed, first_day=10 * DAYS)
    random = np.random.default_rng([seed, 11])
    values = normal[list(CHANNELS)].to_numpy(copy=True)
    spread, starts = values.std(axis=0), []
    for start in (day * A_DAY + at for day in range(_TRIED_DAYS) for at in _STARTS):
        channel = random.integers(len(CHANNELS))
        values[start : start + _FAULT_ROWS, channel] += 4 * spread[channel] * random.choice([-1, 1])
        starts.append(start)
    faulty = normal.assign(**dict(zip(CHANNELS, values.T, strict=True)))
    flagged = score_rows(bundle, faulty).flagged
    caught = [flagged[start : start + _FAULT_ROWS].any() for start in starts]
    return LaterDays(float(score_rows(bundle, normal).flagged.mean()), float(np.mean(caught)))


@dataclass(frozen=True)
class GateTrial:
    """One candidate before the gate.

    Attributes:
        passed: whether the gate let it pass.
        failed: names of the checks that it failed.
        seen: what it does on later days.
        held: rows of the calibration block that were held back.
    """

    passed: bool
    failed: tuple[str, ...]
    seen: LaterDays
    held: int


def candidate(frame: pd.DataFrame, seed: int, before: pd.DataFrame | None = None) -> GateTrial:
    """Train on `frame` and judge; against a champion that was trained on `before`, if given."""
    spec = plant_spec()
    with tempfile.TemporaryDirectory() as scratch:
        version = trained(frame, spec, Path(scratch) / "candidate")
        champion = None
        if before is not None:
            champion = trained(before, spec, Path(scratch) / "champion").bundle
        verdict = judged(version, spec, champion)
        held = version.bundle.description.calibration.held
        return GateTrial(
            passed=verdict.passed,
            failed=tuple(each.name for each in verdict.results if each.verdict == "fail"),
            seen=seen(version.bundle, seed),
            held=held.rows if held else 0,
        )
