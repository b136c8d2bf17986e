import numpy as np
import pytest

from pipeline.config import Threshold
from pipeline.detector.thresholds.methods import THRESHOLDS, method_of
from pipeline.errors import CalibrationError
from pipeline.recalibration.weighted_threshold import estimate_weighted, unweighted

SCORES = np.random.default_rng(0).lognormal(size=4000)


@pytest.mark.parametrize("method", THRESHOLDS)
def test_with_all_weights_1_every_method_gives_the_threshold_of_training(method):
    config = Threshold(method=method)

    threshold = estimate_weighted(SCORES, np.ones(len(SCORES)), config, n_effective=4000)

    plain = method_of(config)(SCORES, alpha=0.01, n_effective=4000)
    assert (threshold.method, threshold.value) == (method, plain.value)
    assert threshold.rate_interval == pytest.approx(plain.rate_interval, rel=1e-3)


@pytest.mark.parametrize("method", [name for name in THRESHOLDS if name != "hill"])
def test_every_method_lowers_its_threshold_when_the_highest_rows_weigh_less(method):
    weight = np.where(np.quantile(SCORES, 0.98) < SCORES, 0.3, 1.0)
    config = Threshold(method=method)

    threshold = estimate_weighted(SCORES, weight, config, n_effective=4000)

    assert threshold.method == method
    whole = estimate_weighted(SCORES, np.ones(len(SCORES)), config, n_effective=4000)
    assert threshold.value < whole.value


def test_unweighted_scores_have_the_distribution_of_the_weighted_ones():
    weight = np.random.default_rng(1).uniform(0, 2, len(SCORES))

    alike = unweighted(SCORES, weight)

    assert len(alike) == round(weight.sum())
    for level in (0.5, 0.9, 0.99):
        threshold = np.quantile(alike, level)
        assert weight[threshold < SCORES].sum() / weight.sum() == pytest.approx(
            1 - level, abs=0.002
        )


def test_a_threshold_estimated_from_labels_is_not_recalibrated_without_them():
    with pytest.raises(CalibrationError, match=r"train again .*conformal"):
        estimate_weighted(
            SCORES, np.ones(len(SCORES)), Threshold(method="cost_weighted"), n_effective=4000
        )
