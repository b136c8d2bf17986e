"""Missing values all the way: source, table, training window, fit, threshold, scores, drift."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from pipeline import tables
from pipeline.config import DenoisingModel, DetectorSpec
from pipeline.data.channels import channels
from pipeline.data.derive import derive
from pipeline.data.split import Block, split
from pipeline.detector.attribution import contributions
from pipeline.detector.bundle.bundle import Bundle, load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.inputs.schema import schema_for, schema_of
from pipeline.detector.training.fit import fit
from pipeline.drift import judge_drift
from pipeline.drift.observed import reference_sample, sample_of
from pipeline.evaluation.tryout import judge, try_out
from pipeline.scoring import score_rows
from pipeline.steps.comparing import compare
from pipeline.store.training_window import read_training_window
from pipeline.tables import Table
from tests.builders import days, make_frame, make_spec, on, stored_in
from tests.data.ingesting import ingested
from tests.station import shifts_in

N_DAYS = 24
LAST = days(N_DAYS + 1)[N_DAYS]
SMALL = {"family": "masked", "members": 2, "width": 24, "steps": 250, "batch_rows": 64}


def delivered(n_days, *, first_day=None, seed=0) -> pd.DataFrame:
    """The farm's rows with 8 % missing values, and two rows that lack too much."""
    frame = make_frame(n_days, seed=seed, **({"first_day": first_day} if first_day else {}))
    random = np.random.default_rng(seed)
    column = random.integers(0, 3, len(frame))
    hit = random.random(len(frame)) < 0.24
    for place, name in enumerate(("flow", "pressure", "angle")):
        frame.loc[hit & (column == place), name] = np.nan
    frame.loc[[10, 13], ["flow", "pressure"]] = np.nan
    return frame


@dataclass(frozen=True)
class Plant:
    spec: DetectorSpec
    root: str
    bundle: Bundle
    test: pd.DataFrame


@pytest.fixture(scope="module")
def plant(tmp_path_factory) -> Plant:
    folder = tmp_path_factory.mktemp("plant")
    delivered(N_DAYS).to_parquet(folder / "pumps.parquet")
    spec = make_spec(
        source={"kind": "parquet", "path": str(folder / "pumps.parquet")},
        validation={"missing_cells": 0.34},
        model=SMALL,
    )
    here, now = stored_in(folder), datetime(2024, 3, 1, tzinfo=UTC)
    ingested(here, spec, days(N_DAYS), now=now, run_id="ingest")
    blocks = split(read_training_window(here, spec, LAST).frame, spec)
    schema = schema_for(spec)
    fitted = fit(blocks.train, schema, spec.model)
    calibration = calibrate(blocks.calibration, schema, Graph(fitted.graph).score, spec.threshold)
    write_bundle(
        fitted, calibration, folder / "bundle", name="pumps", provenance=Provenance({}, "", "")
    )
    bundle = load_bundle(folder / "bundle")
    return Plant(spec, str(folder), bundle, blocks.test.frame.reset_index(drop=True))


def test_missing_values_stay_in_the_table_and_rows_with_too_many_go_to_quarantine(plant):
    held = tables.read(Table(plant.root, "pumps", "telemetry"))
    away = tables.read(Table(plant.root, "pumps", "quarantine"))

    assert 0.05 < held["flow"].isna().mean() < 0.11
    assert set(away["rule"]) == {"too_many_missing"}
    assert len(away) == 2


def test_rows_with_gaps_get_a_score_and_normal_ones_rarely_a_flag(plant):
    scored = score_rows(plant.bundle, plant.test)

    gaps = plant.test["flow"].isna().to_numpy()
    assert gaps.any()
    assert np.isfinite(scored.score).all()
    assert (scored.error[gaps][:, [0]] == 0).all()
    assert scored.flagged.mean() < 0.05


def test_a_fault_beside_a_gap_is_flagged_and_named(plant):
    frame = plant.test.copy()
    struck = on(frame, "b") & frame["flow"].notna() & frame["pressure"].notna()
    frame.loc[struck, ["angle_sin", "angle_cos"]] = np.nan
    frame.loc[struck, ["pressure", "pressure_vs_peers"]] += 3.0

    flagged = score_rows(plant.bundle, frame).flagged[struck]

    assert flagged.mean() > 0.9
    known = channels(plant.spec.columns)
    rows = feature_values(frame[struck], plant.bundle.schema)
    blamed = contributions(plant.bundle, rows, [channel.columns for channel in known])
    assert known[int(blamed.mean(axis=0).argmax())].name == "pressure"


def test_a_try_out_copes_with_gaps(plant):
    rows = judge(plant.bundle, plant.test, plant.spec.columns)
    tried = try_out(plant.bundle, plant.test, plant.spec.columns, rows, pd.DataFrame())

    assert -0.5 < tried.diagnosis.noise_passthrough < 0.5
    assert np.isfinite([tried.diagnosis.explained_variance, tried.diagnosis.median_error]).all()
    spikes = [found for found in tried.faults if (found.kind, found.size) == ("spike", 12.0)]
    assert {found.channel for found in spikes if found.caught > 0.8 * found.episodes} >= {
        "flow",
        "pressure",
    }


def test_gaps_are_no_drift_and_a_sensor_that_goes_silent_is_named(plant):
    reference = reference_sample(plant.bundle)
    fresh = _fresh(plant)
    columns, limits = plant.spec.columns, plant.spec.drift

    quiet = judge_drift(
        reference, sample_of(plant.bundle, fresh, columns), columns=columns, limits=limits
    )
    silent = fresh.copy()
    silent.loc[on(silent, "b"), ["pressure", "pressure_vs_peers"]] = np.nan
    sample = sample_of(plant.bundle, silent, columns)
    verdict = judge_drift(reference, sample, columns=columns, limits=limits)

    assert not quiet.broken
    assert quiet.kind in ("none", "input drift")
    assert [(broken.channel, broken.entity, broken.sign) for broken in verdict.broken] == [
        ("pressure", "b", "absent")
    ]
    assert verdict.kind == "data fault"


def test_a_missing_value_is_neither_in_nor_out_of_range(plant):
    frame = _fresh(plant)
    frame.loc[on(frame, "a"), ["flow", "flow_vs_peers"]] = np.nan

    found = shifts_in(frame, plant.bundle, plant.spec.columns, plant.spec.shifts)

    assert not found.muted[:, 0].any()


def test_a_champion_that_takes_no_gaps_is_compared_on_the_rows_without_any(plant, tmp_path):
    columns = plant.spec.columns
    schema = schema_of(columns, plant.spec.window)
    train = derive(make_frame(12, seed=7), columns)
    model = DenoisingModel(members=1, width=16, steps=60, batch_rows=64)
    fitted = fit(Block("train", train), schema, model)
    held = Block("calibration", derive(make_frame(10, seed=8), columns))
    calibration = calibrate(held, schema, Graph(fitted.graph).score, plant.spec.threshold)
    write_bundle(
        fitted, calibration, tmp_path / "old", name="pumps", provenance=Provenance({}, "", "")
    )
    whole = plant.test[list(schema.features)].notna().all(axis=1)

    compared = compare(
        1, load_bundle(tmp_path / "old"), plant.bundle, plant.test, pd.DataFrame(), plant.spec
    )

    assert compared is not None
    assert compared.replayed.days == plant.test.loc[whole, "timestamp"].dt.date.nunique()
    assert 0 < whole.sum() < len(plant.test)
    gaps = plant.test[~whole]
    assert compare(1, load_bundle(tmp_path / "old"), plant.bundle, gaps, gaps, plant.spec) is None


def _fresh(plant: Plant) -> pd.DataFrame:
    frame = delivered(8, first_day=LAST, seed=5).drop(index=[10, 13])
    return derive(frame, plant.spec.columns).reset_index(drop=True)
