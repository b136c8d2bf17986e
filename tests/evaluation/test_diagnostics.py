from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.diagnostics import diagnose

RANDOM = np.random.default_rng(5)
SHARED = RANDOM.standard_normal((4000, 1))
ROWS = np.hstack([SHARED * 100 + 50, -SHARED, SHARED * 0.01, np.full((4000, 1), 7.0)]).astype(
    np.float32
)


def plane(rows: np.ndarray) -> np.ndarray:
    """Projection on the straight line that the rows lie on: the perfect denoiser."""
    z = (rows[:, :3] - [50, 0, 0]) / [100, -1, 0.01]
    mean = z.mean(axis=1, keepdims=True)
    return np.hstack([mean * 100 + 50, -mean, mean * 0.01, rows[:, 3:]]).astype(np.float32)


def test_a_copying_network_passes_all_noise_through() -> None:
    found = diagnose(lambda rows: rows, ROWS, seed=0)

    assert found.noise_passthrough == pytest.approx(1.0, abs=1e-3)
    assert found.explained_variance == pytest.approx(1.0)


def test_a_projection_passes_only_the_noise_inside_its_plane() -> None:
    found = diagnose(plane, ROWS, seed=0)

    assert found.noise_passthrough == pytest.approx(1 / 3, abs=0.03)
    assert found.explained_variance == pytest.approx(1.0, abs=1e-3)


def test_a_network_that_learned_only_the_mean_explains_nothing() -> None:
    mean = ROWS.mean(axis=0, dtype=np.float64)

    found = diagnose(lambda rows: np.tile(mean, (len(rows), 1)), ROWS, seed=0)

    assert found.noise_passthrough == pytest.approx(0.0, abs=1e-6)
    assert found.explained_variance == pytest.approx(0.0, abs=1e-3)


def test_the_same_seed_gives_the_same_answer() -> None:
    assert diagnose(plane, ROWS, seed=3) == diagnose(plane, ROWS, seed=3)


def test_missing_values_do_not_count() -> None:
    gappy = ROWS.copy()
    gappy[RANDOM.random(ROWS.shape) < 0.1] = np.nan

    def filled(rows: np.ndarray) -> np.ndarray:
        """The shared cause from the values that are present: as good as the perfect denoiser."""
        z = (rows[:, :3] - [50, 0, 0]) / [100, -1, 0.01]
        known = ~np.isnan(z)
        mean = np.nan_to_num(z).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        made = np.column_stack([mean * 100 + 50, -mean, mean * 0.01, np.full(len(z), 7.0)])
        return made.astype(np.float32)

    found, whole = diagnose(filled, gappy, seed=0), diagnose(plane, ROWS, seed=0)

    assert found.explained_variance == pytest.approx(whole.explained_variance, abs=0.01)
    assert found.noise_passthrough == pytest.approx(0.37, abs=0.05)
    assert np.isfinite(found.median_error)
    copied = diagnose(np.nan_to_num, gappy, seed=0)
    assert copied.noise_passthrough == pytest.approx(1.0, abs=1e-3)
