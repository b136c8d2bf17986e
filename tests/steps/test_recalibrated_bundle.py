"""A recalibrated bundle is its parent's but for the threshold and what that was estimated from."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.scoring import score_frame, score_values
from tests.builders import make_telemetry
from tests.steps.recalibrated_farm import (
    SMOOTHED,
    STEP_NS,
    bundle_of,
)

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_recalibrated_version_has_the_same_network_and_another_threshold(first):
    trained, recalibrated = bundle_of(1), bundle_of(first["version"])

    for name in ("model.onnx", "weights.safetensors", "golden.parquet"):
        assert (recalibrated.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    assert recalibrated.threshold != trained.threshold


def test_a_recalibrated_version_gives_every_row_the_score_that_it_had(first):
    trained, recalibrated = bundle_of(1), bundle_of(first["version"])
    rows = make_telemetry(2, seed=9)

    assert recalibrated.postprocessing == trained.postprocessing
    assert recalibrated.postprocessing.rows == SMOOTHED
    assert set(recalibrated.postprocessing.contexts.factors) == {"a", "b", "c"}
    np.testing.assert_array_equal(
        score_frame(recalibrated, rows)["score"], score_frame(trained, rows)["score"]
    )


def test_drift_is_measured_against_the_window_and_clusters_against_the_training(first):
    trained, recalibrated = bundle_of(1), bundle_of(first["version"])

    window, kept = recalibrated.reference(), recalibrated.trained_reference()

    assert window.timeline.time_ns.min() > trained.reference().timeline.time_ns.max()
    served = score_values(recalibrated, window.features, window.timeline)
    # When they were scored, the first rows were averaged with rows from before the window.
    alike = np.isclose(served.score, window.score, rtol=1e-5)
    began = window.timeline.time_ns < window.timeline.time_ns.min() + (SMOOTHED - 1) * STEP_NS
    np.testing.assert_array_equal(alike, ~began)
    np.testing.assert_array_equal(kept.score, trained.reference().score)
    assert recalibrated.answered_reference() is None
    np.testing.assert_array_equal(recalibrated.accepted_reference().score, kept.score)
