"""The distance of a day's reconstructions from normal ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import Window
from pipeline.config.model import IsolationForestModel
from pipeline.data.timeline import subset, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values
from pipeline.drift import Sample
from pipeline.drift.latent import latent_distance
from tests.builders import make_spec, make_telemetry
from tests.steps.pump_house import _bundle

DAYS = 10


def sample(bundle: Bundle, *, lift: float = 0.0, n_days: int = DAYS) -> Sample:
    """Normal rows, with the flow of every pump lifted."""
    frame = make_telemetry(n_days, seed=9)
    frame["flow"] += lift
    frame["pressure"] += lift / 10
    features = feature_values(frame, bundle.schema)
    timeline = timeline_from(frame, make_spec().columns)
    return Sample(timeline, features, np.zeros(len(frame), np.float32))


@pytest.fixture(params=["denoising", "windows", "isolation_forest"])
def of_kind(request, tmp_path) -> Bundle:
    """A detector that reconstructs rows, one that reconstructs windows, one that does neither."""
    sections = {
        "denoising": {},
        "windows": {"window": Window(length=4)},
        "isolation_forest": {"model": IsolationForestModel()},
    }
    return _bundle(tmp_path / "bundle", 1.0, make_spec(**sections[request.param]))


@pytest.fixture
def bundle(tmp_path) -> Bundle:
    return _bundle(tmp_path / "bundle", 1.0, make_spec())


def test_normal_days_lie_near_and_moved_days_further_the_more_they_moved(of_kind):
    found = [latent_distance(of_kind, sample(of_kind, lift=lift)) for lift in (0, 10, 20)]

    assert found[0] < 0.2
    assert found[0] + 0.2 < found[1] < found[2]


def test_rows_with_a_muted_channel_are_left_out(bundle):
    moved, normal = sample(bundle, lift=20), sample(bundle)
    muted = np.zeros(moved.features.shape, dtype=bool)
    half = len(muted) // 2
    muted[:half, 0] = True
    mixed = replace(moved, muted=muted)
    mixed.features[half:] = normal.features[half:]
    kept = np.arange(half, len(muted))
    alone = Sample(subset(normal.timeline, kept), normal.features[kept], normal.score[kept])

    assert latent_distance(bundle, mixed) == latent_distance(bundle, alone)


def test_a_day_whose_rows_are_all_muted_has_no_distance(bundle):
    rows = sample(bundle)

    muted = replace(rows, muted=np.ones(rows.features.shape, dtype=bool))

    assert latent_distance(bundle, muted) is None


def test_a_thousand_rows_speak_for_a_long_day(bundle):
    long, short = (latent_distance(bundle, sample(bundle, n_days=n)) for n in (60, 13))

    assert long == pytest.approx(short, abs=0.1)
