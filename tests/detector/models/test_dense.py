from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.config.model import DenseModel
from pipeline.data.split import Block
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.dense import copied_share
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape, TrainingContext
from pipeline.detector.scores.losses import SquaredError
from pipeline.detector.training.fit import fit
from pipeline.errors import ConfigError
from tests.detector.plant import normal_rows, schema

QUICK = partial(DenseModel, members=2, steps=300, batch_rows=64, learning_rate=1e-2)


def built(inputs, **settings):
    source = torch.Generator().manual_seed(0)
    return MODELS["dense"].build(DenseModel(members=3, **settings), InputShape(1, inputs), source)


def training_of(rows):
    return TrainingContext(rows, rows, None, SquaredError(), torch.Generator())


def test_the_code_is_half_of_the_inputs_unless_given():
    units = [layer.shape for layer in built(20, hidden=(32, 16)).weights]
    given = [layer.shape[2] for layer in built(20, hidden=(), code=4).weights]

    assert units == [(3, 20, 32), (3, 32, 16), (3, 16, 10), (3, 10, 16), (3, 16, 32), (3, 32, 20)]
    assert given == [4, 20]
    assert built(200, hidden=(64, 32)).weights[1].shape == (3, 64, 32)
    assert built(200, hidden=(64, 32)).weights[2].shape == (3, 32, 32)


@pytest.mark.parametrize("code", [20, 21])
def test_a_code_that_could_copy_is_refused_with_value_limit_and_fix(code):
    with pytest.raises(ConfigError, match=rf"is {code}; .* smaller than its 20 .* denoising"):
        built(20, code=code)


def test_a_single_input_has_no_bottleneck():
    with pytest.raises(ConfigError, match=r"1 input\(s\)"):
        built(1)


def test_nothing_passes_that_the_code_cannot_hold():
    rows = torch.randn(50, 6, generator=torch.Generator().manual_seed(2))
    made = built(6, hidden=(), code=2)(rows)[0]

    rank = torch.linalg.matrix_rank(made - made.mean(dim=0), tol=1e-5)

    assert rank == 2


def test_the_copied_share_is_1_for_a_copy_and_0_for_the_mean_row():
    rows = normal_rows(300).to_numpy(np.float32)
    rows = torch.from_numpy((rows - rows.mean(axis=0)) / rows.std(axis=0))

    assert copied_share(lambda shown: shown[None], training_of(rows)) == 1.0
    assert copied_share(lambda shown: 0 * shown[None], training_of(rows)) == pytest.approx(
        0, abs=0.1
    )


def test_a_network_that_copies_gets_a_remark():
    # Twelve channels that have nothing in common: eleven units keep eleven of them.
    names = tuple(f"c{i}" for i in range(12))
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(1500, 12)), columns=list(names))
    seen = Schema((*names,), (), ("1",) * 12, 1, None, None, None, None)

    facts = fit(Block("train", frame), seen, QUICK(code=11, hidden=())).facts

    assert facts.measured["copied"] > 0.8
    assert "copies" in facts.remarks[0]
    assert "Lower model.code" in facts.remarks[0]


def test_a_network_that_knows_which_features_belong_together_gets_none():
    facts = fit(Block("train", normal_rows(1500, seed=1)), schema(), QUICK()).facts

    assert facts.measured["copied"] < 0.8
    assert facts.remarks == ()
