import numpy as np
import pytest

from pipeline.detector.inputs.ranges import ranges_of
from tests.detector.plant import CHANNELS, normal_rows, plant_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return plant_bundle(tmp_path_factory.mktemp("plant") / "bundle")


def test_a_range_leaves_out_one_row_in_a_thousand_at_each_end():
    rows = np.column_stack([np.arange(1001), np.full(1001, 5.0)]).astype(np.float32)

    found = ranges_of(rows)

    assert found.lowest == (1.0, 5.0)
    assert found.highest == (999.0, 5.0)


def test_a_bundle_keeps_the_ranges_of_its_training_rows(bundle):
    rows = normal_rows(1500, seed=1)[list(CHANNELS)].to_numpy(np.float32)

    assert bundle.ranges() == ranges_of(rows)
