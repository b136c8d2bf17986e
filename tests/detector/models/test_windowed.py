"""What holds for every family over windows."""

from functools import cache

import numpy as np
import pytest
import torch

from pipeline.config.model import ConvolutionalModel, RecurrentModel, TransformerModel
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape
from pipeline.detector.models.windowed import StepSettings, corrupt
from pipeline.detector.training.fit import restore
from tests.detector.models.courses import LENGTH, SMALL, fit_slow, slow_windows, wins
from tests.detector.plant import CHANNELS

SECTIONS = (ConvolutionalModel, RecurrentModel, TransformerModel)
every = pytest.mark.parametrize("section", SECTIONS)
WIDE = InputShape(4, 2, derivative=True, rolling=("mean", "max"))


@cache
def fitted(section):
    return fit_slow(section(**SMALL))


def generator():
    return torch.Generator().manual_seed(0)


@every
def test_rows_in_another_order_score_higher(section):
    graph = Graph(fitted(section).graph)
    normal = slow_windows(400, seed=2)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(LENGTH), (len(normal), 1)), axis=1)

    shuffled = np.take_along_axis(
        normal.reshape(-1, LENGTH, len(CHANNELS)), order[:, :, None], axis=1
    ).reshape(normal.shape)

    assert wins(graph.score(shuffled).score, graph.score(normal).score) > 0.85


@every
def test_a_course_of_another_window_scores_higher(section):
    graph = Graph(fitted(section).graph)
    normal = slow_windows(400, seed=2)
    shaped = normal.reshape(-1, LENGTH, len(CHANNELS)).copy()

    shaped[:, :, 2] = np.roll(shaped[:, :, 2], len(shaped) // 3, axis=0)

    mixed = graph.score(shaped.reshape(normal.shape)).score
    assert wins(mixed, graph.score(normal).score) > 0.8


@every
def test_noise_does_not_pass_as_it_came(section):
    network = restore(fitted(section))
    clean = network.scaling(torch.from_numpy(slow_windows(400, seed=2)))
    noise = 0.5 * torch.randn(clean.shape, generator=generator())

    with torch.no_grad():
        moved = (network.ensemble(clean + noise) - network.ensemble(clean)).mean(dim=0)

    passed = (moved * noise).sum() / (noise * noise).sum()
    assert passed < 0.35


@every
def test_an_untrained_ensemble_answers_near_the_mean_row(section):
    settings, windows = section(**SMALL), torch.randn(50, WIDE.inputs, generator=generator())

    answer = MODELS[settings.family].build(settings, WIDE, generator())(windows)

    assert answer.shape == (2, 50, WIDE.inputs)
    assert answer.square().mean() < 0.2 * windows.square().mean()


@every
def test_each_member_may_be_given_windows_of_its_own(section):
    settings, windows = section(**SMALL), torch.randn(2, 9, WIDE.inputs, generator=generator())
    ensemble = MODELS[settings.family].build(settings, WIDE, generator())

    together = ensemble(windows)

    for member in range(2):
        alone = ensemble(windows[member])[member]
        torch.testing.assert_close(together[member], alone)


def test_steps_hold_a_row_its_change_and_the_statistics_of_the_window():
    inputs = torch.arange(WIDE.inputs, dtype=torch.float32)

    steps = StepSettings(WIDE).of(inputs)

    # Rows 0..7, changes 8..13, mean 14..15, max 16..17.
    assert steps.tolist() == [
        [0, 1, 0, 0, 14, 15, 16, 17],
        [2, 3, 8, 9, 14, 15, 16, 17],
        [4, 5, 10, 11, 14, 15, 16, 17],
        [6, 7, 12, 13, 14, 15, 16, 17],
    ]


@pytest.mark.parametrize("shape", [WIDE, InputShape(3, 2), InputShape(2, 3, derivative=True)])
def test_steps_lead_back_to_the_inputs(shape):
    inputs = torch.randn(2, 5, shape.inputs, generator=generator())

    torch.testing.assert_close(StepSettings(shape).back(StepSettings(shape).of(inputs)), inputs)


def test_a_swapped_feature_has_the_whole_course_of_another_window():
    settings = ConvolutionalModel(noise=(1e-9, 1e-9), swap=0.5, replaced=0)
    windows = torch.arange(300.0)[:, None].expand(300, WIDE.inputs)

    shown = corrupt(settings, WIDE, windows, generator()).round()

    swapped = (shown != windows).reshape(300, WIDE.blocks, WIDE.features)
    assert 0.3 < swapped.float().mean() < 0.7
    assert (swapped == swapped[:, :1]).all()


def test_a_replaced_row_brings_its_change_with_it():
    settings = ConvolutionalModel(noise=(1e-9, 1e-9), swap=0, replaced=0.3)
    windows = torch.arange(300.0)[:, None].expand(300, WIDE.inputs)

    shown = corrupt(settings, WIDE, windows, generator()).round()

    replaced = (shown != windows).reshape(300, WIDE.blocks, WIDE.features)
    assert 0.2 < replaced[:, :4].float().mean() < 0.4
    assert torch.equal(replaced[:, 1:4], replaced[:, 4:7])
    assert not replaced[:, 7:].any()
