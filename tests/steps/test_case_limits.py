"""What decides about cases: the settings, and what the live bundle knows of normal rows."""

from datetime import timedelta

import numpy as np
import pytest

from pipeline.data.clusters import longest_normal
from pipeline.steps.case_limits import case_limits


@pytest.fixture
def bundle(house):
    return house.live["champion"].bundle


def test_clusters_of_normal_rows_are_measured_as_recalibration_measures_them(house, bundle):
    found = case_limits(house.spec, bundle)

    reference = bundle.trained_reference()
    measured = longest_normal(
        reference.score.astype(np.float64), reference.timeline, alpha=0.01, join_rows=4
    )
    assert (found.longest, found.join_rows) == (measured, 4)
    assert found.lasting == timedelta(hours=16)


def test_ranges_are_those_of_the_training_of_channels_that_can_leave_them(house, bundle):
    flow, pressure = case_limits(house.spec, bundle).ranges

    ranges = bundle.ranges()
    place = bundle.schema.features.index("flow")
    assert (flow.channel, flow.low, flow.high) == (
        "flow", ranges.lowest[place], ranges.highest[place],
    )  # fmt: skip
    assert flow.margin == pytest.approx(0.02 * (flow.high - flow.low))
    assert pressure.channel == "pressure"  # the angle cannot leave a circle
