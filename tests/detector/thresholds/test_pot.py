import numpy as np
import pytest
from scipy import stats

from pipeline.detector.thresholds.pot import estimate


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.2])
def test_it_finds_the_height_of_a_pareto_tail_that_few_scores_reach(shape):
    law = stats.genpareto(shape)

    levels = [
        estimate(law.rvs(size=4000, random_state=seed), alpha=0.001, n_effective=4000).value
        for seed in range(60)
    ]

    assert np.median(levels) == pytest.approx(law.isf(0.001), rel=0.05)


def test_where_the_tail_begins_is_a_setting():
    scores = stats.lognorm(1).rvs(size=2000, random_state=0)

    thresholds = {
        q: estimate(scores, alpha=0.001, n_effective=2000, tail_quantile=q).value
        for q in (0.8, 0.95)
    }

    assert thresholds[0.8] != thresholds[0.95]
