import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detector.inputs.scaling import FAR, fit_scaler, ranges_of
from tests.detector.plant import CHANNELS, normal_rows, plant_bundle


def fitted(rows, context=()):
    return fit_scaler(rows, [place not in context for place in range(rows.shape[1])])


def scaled(rows, change):
    scaler = fitted(rows)
    return (np.asarray(change) - np.array(scaler.mean)) / np.array(scaler.scale)


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def test_training_rows_get_mean_zero_and_spread_one():
    rows = np.random.default_rng(0).normal(50, 7, size=(1000, 3)).astype(np.float32)

    z = scaled(rows, rows)

    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)


@given(unit=st.floats(1e-6, 1e6))
def test_a_change_of_one_features_unit_changes_no_scaled_value(unit):
    rows = np.random.default_rng(0).normal(3, 1, size=(50, 2)).astype(np.float32)
    rows[:, 1] = 7  # hardly moving: its floor is what could look at its neighbour
    other = rows * np.array([unit, 1], dtype=np.float32)

    np.testing.assert_allclose(scaled(other, other), scaled(rows, rows), atol=1e-3)
    assert fitted(other).scale[1] == fitted(rows).scale[1]


@pytest.mark.parametrize("level", [-5.0, 1e-9, 0.0, 5.0, 1e9])
def test_a_constant_that_changes_is_far_out_and_finite(level):
    changed = [[level * 1.1 if level else 1.0]]

    z = abs(scaled(column(level, level, level), changed)).item()

    assert np.isfinite(z)
    assert z > 5


def test_a_rare_spike_is_not_infinitely_far():
    rows = np.zeros((100_000, 1), dtype=np.float32)
    rows[0] = 1

    assert scaled(rows, [[1.0]]).item() <= 50


def test_a_nearly_constant_feature_moves_far_and_finitely_out_when_it_leaves_its_level():
    # SMD 2-8 and 3-4: a standard deviation of 0.001 in training, another level ever after.
    random = np.random.default_rng(0)
    rows = column(*(0.2 + 0.001 * random.normal(size=5000)))
    rows[:5] += 0.05

    moved = scaled(rows, [[0.3]]).item()

    assert 10 < moved < 100


def test_heavy_tails_keep_their_order_up_to_the_clip():
    random = np.random.default_rng(0)
    rows = random.standard_t(2, size=(5000, 1)).astype(np.float32)

    five, ten, twenty = scaled(rows, [[5.0], [10.0], [20.0]])[:, 0]

    assert fitted(rows).highest[0] == FAR
    assert five < ten < twenty < FAR


def test_context_is_clipped_to_what_training_knows_and_the_rest_only_far_out():
    rows = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32)

    scaler = fitted(rows, context=[1])

    assert (scaler.lowest[0], scaler.highest[0]) == (-FAR, FAR)
    assert -3.6 < scaler.lowest[1] < -2.6
    assert 2.6 < scaler.highest[1] < 3.6


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
