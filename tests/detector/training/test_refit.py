from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import ReconstructionScore
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import NORMAL
from pipeline.data.split import Block
from pipeline.detector.training import refit
from pipeline.detector.training.fit import fit
from pipeline.detector.training.refit import FitSettings, fit_held_back
from pipeline.detector.training.warm_start import WarmStart
from tests.detector.plant import CHANNELS, SMALL, normal_rows, schema, timed

SETTINGS = FitSettings(schema(timed=True), SMALL, ReconstructionScore(), alpha=0.01)


def rows(episodes=0, *, seed=0):
    """Four thousand rows; in each episode of 30 another channel contradicts the others."""
    frame = timed(normal_rows(4000, seed=seed))
    for number in range(episodes):
        name, sign = CHANNELS[number % len(CHANNELS)], (-1) ** number
        values = frame[name].to_numpy(copy=True)
        values[700 * number + 100 :][:30] += sign * 20 * values.std()
        frame[name] = values
    return frame


@pytest.fixture
def fits(monkeypatch):
    """The number of rows of each fit."""
    found = []

    def counted(block, *settings, **more):
        found.append(len(block.frame))
        return fit(block, *settings, **more)

    monkeypatch.setattr(refit, "fit", counted)
    return found


def test_clean_rows_are_fitted_once_and_nothing_is_held_back(fits):
    fitted = fit_held_back(Block("train", rows()), SETTINGS)

    assert fits == [4000]
    assert fitted.facts.held.rows == 0


def test_sustained_episodes_are_left_out_and_named(fits):
    fitted = fit_held_back(Block("train", rows(5)), SETTINGS)

    held = fitted.facts.held
    assert held.rows == pytest.approx(150, abs=15)
    assert held.episodes == 5
    assert fits[0] == 4000
    assert fits[-1] == 4000 - held.rows
    assert len(fits) <= 3


def test_episodes_that_a_person_has_called_normal_train(fits):
    called = rows(5)
    called = called.assign(**{LABEL_COLUMN: np.full(len(called), NORMAL, dtype=np.int8)})

    fitted = fit_held_back(Block("train", called), SETTINGS)

    assert fits == [4000]
    assert fitted.facts.held.rows == 0


def test_isolated_flags_stay(fits):
    frame = rows()
    temperature = frame["temperature"].to_numpy(copy=True)
    temperature[::80] += 20 * temperature.std()

    fit_held_back(Block("train", frame.assign(temperature=temperature)), SETTINGS)

    assert fits == [4000]


def test_rows_without_time_all_train(fits):
    frame = rows(5)[list(CHANNELS)]

    fitted = fit_held_back(Block("train", frame), replace(SETTINGS, schema=schema()))

    assert fits == [4000]
    assert fitted.facts.held is None


def test_a_fine_tuning_leaves_the_episodes_of_its_older_rows_out_as_well(monkeypatch):
    network = fit(Block("train", rows()), SETTINGS.schema, SMALL)
    older = []

    def watched(block, *settings, start, **more):
        older.append(len(start.older.frame))
        return fit(block, *settings, start=start, **more)

    monkeypatch.setattr(refit, "fit", watched)
    start = WarmStart(network, Block("train", rows(5, seed=1)), 0.5)

    fitted = fit_held_back(Block("train", rows(seed=2)), SETTINGS, start=start)

    assert older[0] == 4000
    assert older[-1] == pytest.approx(3850, abs=15)
    assert fitted.facts.held.rows == 0


def test_the_rest_of_the_facts_are_those_of_the_fit():
    block = Block("train", rows())

    plain = fit(block, SETTINGS.schema, SMALL)
    fitted = fit_held_back(block, SETTINGS)

    assert fitted.graph == plain.graph
    assert replace(fitted.facts, held=None) == plain.facts
