from functools import cache

import pytest
import torch

from pipeline.config.model import ContractiveModel
from pipeline.data.split import Block
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape
from pipeline.detector.training.fit import fit
from tests.detector.plant import CHANNELS, normal_rows, schema

activations = pytest.mark.parametrize("activation", ["sigmoid", "tanh"])


@cache
def jacobian_norm(activation, contraction):
    settings = ContractiveModel(
        members=2,
        code=16,
        steps=200,
        batch_rows=64,
        learning_rate=1e-2,
        activation=activation,
        contraction=contraction,
    )
    fitted = fit(Block("train", normal_rows(1000, seed=1)), schema(), settings)
    return fitted.facts.measured["jacobian_norm"]


@activations
def test_the_closed_form_is_the_jacobian_that_autograd_finds(activation):
    source = torch.Generator().manual_seed(0)
    settings = ContractiveModel(members=3, code=7, activation=activation)
    ensemble = MODELS["contractive"].build(settings, InputShape(2, 4), source)
    rows = torch.randn(5, 8, generator=source)

    found = ensemble.squared_jacobian(ensemble.code(rows))

    for row in range(5):
        exact = torch.autograd.functional.jacobian(ensemble.code, rows[row : row + 1])
        expected = (exact[:, 0, :, 0] ** 2).sum(dim=(1, 2))
        torch.testing.assert_close(found[:, row], expected)


@activations
def test_the_penalty_shrinks_the_jacobian(activation):
    free, light, strong = (jacobian_norm(activation, weight) for weight in (0.0, 1.0, 30.0))

    assert strong < 0.5 * free
    assert strong < light < free


def test_the_decoder_cannot_undo_the_contraction():
    # Tied weights: a scaled-down encoder with a scaled-up decoder would contract nothing.
    names = {
        name
        for name, _ in MODELS["contractive"]
        .build(ContractiveModel(), InputShape(1, 4), torch.Generator())
        .named_parameters()
    }

    assert names == {"weight", "bias", "bias_out"}


def test_the_best_step_is_chosen_by_loss_and_penalty_together():
    block = Block("train", normal_rows(300, seed=1))
    free, bound = (
        fit(block, schema(), ContractiveModel(members=2, steps=1, contraction=weight)).facts
        for weight in (0.0, 100.0)
    )

    paid = bound.history[0].validation - free.history[0].validation

    norm = bound.measured["jacobian_norm"]
    assert paid == pytest.approx(100 * norm**2 / len(CHANNELS), rel=0.05)
