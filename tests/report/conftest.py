from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.metrics import EvaluatedRows

CADENCE = 600_000_000_000
START = 1_388_534_400_000_000_000


@pytest.fixture
def threshold() -> ThresholdEstimate:
    return ThresholdEstimate(
        value=10.0,
        method="conformal",
        alpha=0.01,
        n=2000,
        n_effective=900.0,
        interval=(9.0, None),
        rate_interval=(0.005, 0.018),
        low_confidence=False,
        note="",
    )


@pytest.fixture
def rows() -> EvaluatedRows:
    """Two machines, two days, one incident on machine B."""
    rng = np.random.default_rng(0)
    n = 288
    timeline = Timeline(
        np.tile(START + np.arange(n) * CADENCE, 2), np.repeat([0, 1], n), ("A", "B"), CADENCE
    )
    score = np.exp(rng.standard_normal(2 * n)).astype(np.float32)
    incident = np.zeros(2 * n, dtype=bool)
    incident[400:420] = True
    score[400:415] *= 50
    return EvaluatedRows(timeline, score, ~incident, incident)
