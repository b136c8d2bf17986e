from functools import cache

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from pipeline.config.model import VariationalModel
from pipeline.data.split import Block
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape
from pipeline.detector.models.variational import beta_at, divergence, training_step
from pipeline.detector.training.fit import fit
from tests.detector.plant import normal_rows, schema


@cache
def facts(beta):
    settings = VariationalModel(
        members=2, width=16, code=2, steps=300, batch_rows=64, learning_rate=1e-2, beta=beta
    )
    return fit(Block("train", normal_rows(1500, seed=1)), schema(), settings).facts


def untrained(**settings):
    chosen = VariationalModel(members=2, width=16, **settings)
    source = torch.Generator().manual_seed(0)
    return chosen, MODELS["variational"].build(chosen, InputShape(1, 6), source)


ROWS = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(5))


def test_the_divergence_is_that_from_a_standard_normal():
    mean, log_variance = torch.tensor([0.3, -2.0]), torch.tensor([-1.0, 0.5])

    exact = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))

    torch.testing.assert_close(divergence(mean, log_variance), exact)


def test_its_weight_rises_from_nothing_to_beta_and_stays():
    settings = VariationalModel(beta=0.4, annealing=0.5)

    weights = [beta_at(settings, progress) for progress in (0, 0.25, 0.5, 0.9, 1)]

    assert weights == pytest.approx([0, 0.2, 0.4, 0.4, 0.4])
    assert beta_at(VariationalModel(beta=0.4, annealing=0), 0.0) == 0.4


def test_training_samples_and_everything_else_takes_the_mean_code():
    settings, ensemble = untrained()
    source = torch.Generator().manual_seed(1)

    sampled = [training_step(settings, ensemble, ROWS, source, 0.5).output for _ in range(2)]
    checked = [training_step(settings, ensemble, ROWS, None, 1.0).output for _ in range(2)]

    assert not torch.equal(*sampled)
    assert torch.equal(*checked)
    assert torch.equal(checked[0], ensemble(ROWS))


def test_a_step_at_the_start_pays_nothing_and_one_at_the_end_pays_beta():
    settings, ensemble = untrained(beta=0.4)

    start, end = (training_step(settings, ensemble, ROWS, None, at).penalty for at in (0.0, 1.0))

    nats = divergence(*ensemble.code(ROWS)).sum(dim=-1).mean(dim=1).sum()
    assert start == 0
    torch.testing.assert_close(end, 0.4 * 2 / 6 * nats)


def test_a_healthy_code_is_active_and_gets_no_remark():
    assert facts(0.1).measured["units"] == 2
    assert facts(0.1).measured["active_units"] == 2
    assert facts(0.1).measured["nats_per_unit"] > 0.1
    assert facts(0.1).remarks == ()


def test_a_collapsed_code_is_reported():
    assert facts(100.0).measured["active_units"] == 0
    assert facts(100.0).measured["nats_per_unit"] < 0.01
    assert "collapsed: 0 of 2 units" in facts(100.0).remarks[0]
    assert "Lower model.beta (now 100)" in facts(100.0).remarks[0]
