import numpy as np
import pytest
from scipy import stats

from pipeline.detector.thresholds.hill import estimate


@pytest.mark.parametrize("n", [50, 150, 500])
@pytest.mark.parametrize(
    ("law", "name"),
    [
        (stats.lognorm(0.8), "log-normal"),
        (stats.pareto(1.2), "heavy"),
        (stats.uniform(), "ends"),
        (stats.expon(), "exponential"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_its_intervals_hold_whatever_the_tail_is(law, name, n):
    random = np.random.default_rng([n, len(name)])
    rate = level = 0
    for _ in range(100):
        found = estimate(law.rvs(size=n, random_state=random), alpha=0.01, n_effective=n)
        true = float(law.sf(found.value))
        rate += found.rate_interval[0] <= true <= found.rate_interval[1]
        low, high = found.interval
        level += (low is None or law.sf(low) >= 0.01) and (high is None or law.sf(high) <= 0.01)

    assert rate >= 88
    assert level >= 92


def test_few_scores_leave_its_threshold_unbounded_above():
    found = estimate(np.random.default_rng(0).lognormal(size=60), alpha=0.01, n_effective=60)

    assert found.interval[1] is None
    assert found.low_confidence
