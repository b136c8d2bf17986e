import numpy as np
import pytest

from pipeline.data.clusters import longest_normal, sustained
from tests.recalibration.window import scores, timeline_of


@pytest.mark.parametrize(("rho", "low", "high"), [(0.0, 3, 5), (0.5, 4, 7), (0.9, 11, 20)])
def test_normal_clusters_are_as_long_as_neighbours_are_alike(rho, low, high):
    spans = [
        longest_normal(scores(5000, seed, rho), timeline_of(5000), alpha=0.01, join_rows=4)
        for seed in range(10)
    ]

    assert low <= np.mean(spans) <= high


def test_flags_a_few_rows_apart_are_one_cluster():
    above = np.zeros(1000, dtype=bool)
    above[100:120:4] = True  # five flags over 17 rows
    above[500:520:8] = True  # three, too far apart

    held = sustained(above, timeline_of(1000), longest=10, join_rows=4)

    assert np.flatnonzero(held).tolist() == list(range(100, 120, 4))


def test_a_cluster_as_long_as_normal_ones_is_kept():
    above = np.zeros(1000, dtype=bool)
    above[100:110] = True

    assert not sustained(above, timeline_of(1000), longest=10, join_rows=4).any()
    assert sustained(above, timeline_of(1000), longest=9, join_rows=4).sum() == 10


def test_a_cluster_ends_where_the_machine_changes():
    timeline = timeline_of(40)
    entity = np.repeat([0, 1], 20)
    two = type(timeline)(np.tile(timeline.time_ns[:20], 2), entity, ("a", "b"), timeline.cadence_ns)

    assert not sustained(np.ones(40, dtype=bool), two, longest=20, join_rows=4).any()
    assert sustained(np.ones(40, dtype=bool), timeline, longest=20, join_rows=4).all()
