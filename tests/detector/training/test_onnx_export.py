import numpy as np
import pandas as pd
import pytest

from pipeline.config.score import MemoryScore
from pipeline.data.split import Block
from pipeline.detector.training.fit import fit, restore
from pipeline.detector.training.onnx_export import refuse_disagreement
from pipeline.errors import BundleError
from tests.detector.plant import CHANNELS, SMALL, normal_rows, schema
from tests.refusing import refusal


def exported(seed):
    rows = normal_rows(600, seed=seed)
    fitted = fit(Block("train", rows), schema(), SMALL, MemoryScore())
    return restore(fitted), fitted.graph, rows[list(CHANNELS)].to_numpy(np.float32)


def test_the_graph_of_a_network_agrees_with_it():
    network, graph, rows = exported(1)

    assert refusal(lambda: refuse_disagreement(network, graph, rows)) is None


def test_the_graph_of_another_network_is_refused():
    network, _, rows = exported(1)
    _, other, _ = exported(2)

    with pytest.raises(BundleError, match="rounding explains"):
        refuse_disagreement(network, other, rows)


def test_a_network_that_is_off_by_a_thousandth_is_refused():
    network, graph, rows = exported(1)
    with_error = network.scoring
    with_error.residual_weight *= 1.001

    with pytest.raises(BundleError, match="differs from the network"):
        refuse_disagreement(network, graph, rows)


def test_rows_that_say_the_same_twice_can_be_exported():
    value = np.exp(2 * np.random.default_rng(0).normal(size=1500))
    rows = pd.DataFrame(dict.fromkeys(CHANNELS, value))

    assert fit(Block("train", rows), schema(), SMALL, MemoryScore()).graph
