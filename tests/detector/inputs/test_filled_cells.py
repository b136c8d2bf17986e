"""Filled cells fit the other columns, have the usual residual, and stay within the range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.detector.inputs.filled_cells import Filling, fill_cells
from pipeline.detector.inputs.scaling import ranges_of

N = 4000
LEVEL = np.float32(5.0)


def made_rows(seed=1):
    """Column 0 is column 1 plus noise of 0.3; column 2 is column 0 less a common level."""
    random = np.random.default_rng(seed)
    cause = random.normal(size=N)
    own = cause + 0.3 * random.normal(size=N) + LEVEL
    return np.column_stack([own, cause, own - LEVEL]).astype(np.float32)


def reconstruct(rows):
    """A network that copies half of what it is shown, and takes half from column 1."""
    made = rows.copy()
    made[:, 0] = 0.5 * rows[:, 0] + 0.5 * (rows[:, 1] + LEVEL)
    made[:, 2] = 0.5 * rows[:, 2] + 0.5 * rows[:, 1]
    return made


ROWS = made_rows()
FILLING = Filling(reconstruct, ROWS.mean(axis=0), ranges_of(ROWS))
SHIFTED = np.arange(N) >= N // 2
HIDDEN = SHIFTED[:, None] & np.array([True, False, True])
ONE_MACHINE = np.zeros(N, dtype=np.intp)


def filled(rows, *, machine=ONE_MACHINE, seed=3):
    generator = np.random.default_rng(seed)
    return fill_cells(rows, HIDDEN, machine, ~SHIFTED, FILLING, generator)


def test_what_is_expected_depends_on_the_visible_cells_of_the_row_alone():
    hidden = np.zeros(ROWS.shape, dtype=bool)
    hidden[:100, [0, 2]] = True
    wild = np.where(hidden, np.float32(1e6), ROWS)

    made = FILLING.expected(wild, hidden)

    np.testing.assert_array_equal(made[~hidden], ROWS[~hidden])
    cause = np.clip(ROWS[:100, 1], FILLING.ranges.lowest[2], FILLING.ranges.highest[2])
    np.testing.assert_allclose(made[:100, 2], cause, atol=0.01)
    np.testing.assert_array_equal(made[7:9], FILLING.expected(wild[7:9], hidden[7:9]))


def test_only_rows_with_hidden_cells_are_reconstructed():
    seen = []

    def counted(rows):
        seen.append(len(rows))
        return reconstruct(rows)

    hidden = np.zeros(ROWS.shape, dtype=bool)
    hidden[5:8, 0] = True
    replace(FILLING, reconstruct=counted).expected(ROWS, hidden)
    replace(FILLING, reconstruct=counted).expected(ROWS, hidden & False)

    assert set(seen) == {3}


def test_without_a_pass_the_start_stays():
    made = replace(FILLING, passes=0).expected(ROWS, np.array([True, False, False]))

    assert (made[:, 0] == FILLING.start[0]).all()
    np.testing.assert_array_equal(made[:, 1:], ROWS[:, 1:])


def test_nothing_of_the_shift_is_left_and_nothing_else_changes():
    shifted = ROWS + np.where(HIDDEN, np.float32(30), np.float32(0))

    made = filled(shifted)

    np.testing.assert_array_equal(made[~HIDDEN], shifted[~HIDDEN])
    np.testing.assert_array_equal(made, filled(ROWS))


def test_a_filled_value_fits_the_other_columns_and_has_the_usual_residual():
    made = filled(ROWS)[SHIFTED]

    residual = made[:, 0] - made[:, 1] - LEVEL
    assert residual.mean() == pytest.approx(0, abs=0.05)
    assert residual.std() == pytest.approx(0.3, rel=0.1)


def test_the_columns_of_a_channel_still_fit_each_other():
    made = filled(ROWS)[SHIFTED]
    low, high = (np.array(end)[[0, 2]] for end in (FILLING.ranges.lowest, FILLING.ranges.highest))
    inner = ((made[:, [0, 2]] > low + 0.01) & (made[:, [0, 2]] < high - 0.01)).all(axis=1)

    np.testing.assert_allclose(made[inner, 0] - LEVEL, made[inner, 2], atol=0.01)


def test_filled_values_lie_within_the_range():
    narrow = Filling(reconstruct, FILLING.start, ranges_of(ROWS[np.abs(ROWS[:, 0] - LEVEL) < 0.5]))

    made = fill_cells(ROWS, HIDDEN, ONE_MACHINE, ~SHIFTED, narrow, np.random.default_rng(3))[
        SHIFTED
    ]

    assert made[:, 0].min() >= narrow.ranges.lowest[0]
    assert made[:, 0].max() <= narrow.ranges.highest[0]
    assert np.ptp(made[:, 0]) > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_one_others():
    assert filled(ROWS).tobytes() == filled(ROWS).tobytes()
    assert filled(ROWS).tobytes() != filled(ROWS, seed=4).tobytes()


def test_residuals_come_from_the_same_machine():
    machine = (np.arange(N) % 2).astype(np.intp)
    rows = ROWS.copy()
    rows[machine == 1, 0] += 1  # within the range, and a level of its own

    made = filled(rows, machine=machine)

    own = made[:, 0] - made[:, 1] - LEVEL
    assert own[SHIFTED & (machine == 0)].mean() == pytest.approx(0, abs=0.1)
    assert own[SHIFTED & (machine == 1)].mean() == pytest.approx(1, abs=0.15)
