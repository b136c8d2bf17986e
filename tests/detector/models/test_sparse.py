import math
from functools import cache

import numpy as np
import pytest
import torch

from pipeline.config.model import SparseModel
from pipeline.data.split import Block
from pipeline.detector.models.sparse import divergence
from pipeline.detector.training.fit import fit, restore
from tests.detector.plant import normal_rows, schema


@cache
def fitted(sparsity):
    settings = SparseModel(
        members=2, width=16, code=32, steps=300, batch_rows=64, learning_rate=5e-3
    ).model_copy(update={"sparsity": sparsity})
    return fit(Block("train", normal_rows(1500, seed=1)), schema(), settings)


def test_the_divergence_is_that_of_two_bernoulli_distributions():
    code = torch.tensor([[[0.1, 0.05], [0.3, 0.05]]])  # mean activity 0.2 and 0.05

    found = divergence(code, 0.05)

    by_hand = 0.05 * math.log(0.05 / 0.2) + 0.95 * math.log(0.95 / 0.8)
    assert found.tolist() == [pytest.approx(by_hand / 2, rel=1e-4)]


def test_the_units_are_mostly_inactive_and_the_report_says_so():
    facts = fitted(1.0).facts

    assert 0.02 < facts.measured["activity"] <= 0.10
    assert facts.remarks == ()


def test_the_activity_reported_is_that_of_the_network():
    network = restore(fitted(1.0))
    rows = torch.from_numpy(normal_rows(2000, seed=8).to_numpy(np.float32))

    with torch.no_grad():
        active = network.ensemble.code(network.scaling(rows)).mean()

    assert fitted(1.0).facts.measured["activity"] == pytest.approx(float(active), rel=0.1)


def test_units_that_are_always_active_get_a_remark():
    facts = fitted(1e-6).facts

    assert facts.measured["activity"] > 0.10
    assert f"{facts.measured['activity']:.2f} of the time" in facts.remarks[0]
    assert "Raise model.sparsity" in facts.remarks[0]
