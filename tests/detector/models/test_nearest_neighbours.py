import numpy as np
import pytest
import torch

from pipeline.config import ReconstructionScore
from pipeline.config.model import NearestNeighboursModel
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.models.family import InputShape, TrainingContext
from pipeline.detector.models.nearest_neighbours import build, learn
from pipeline.detector.scores.losses import SquaredError
from pipeline.detector.training.fit import fit, restore
from pipeline.evaluation.diagnostics import diagnose
from tests.detector.plant import normal_rows, schema

PLAIN = ReconstructionScore(error="plain")


def rows(count, seed=0):
    values = np.random.default_rng(seed).normal(size=(count, 4))
    return torch.from_numpy(values.astype(np.float32))


def neighbourhood(train, seed=0, **changes):
    settings, generator = NearestNeighboursModel(**changes), torch.Generator().manual_seed(seed)
    module = build(settings, InputShape(1, 4), generator)
    training = TrainingContext(train, rows(20, seed=9), None, SquaredError(), generator)
    return module, learn(settings, module, training)


def test_with_one_neighbour_the_error_is_the_squared_distance_to_the_nearest_row():
    train, probe = rows(300), rows(50, seed=1)
    module, _ = neighbourhood(train)

    error = ((module(probe)[0] - probe) ** 2).sum(dim=1)

    expected = torch.cdist(probe, train).min(dim=1).values ** 2
    torch.testing.assert_close(error, expected, rtol=1e-4, atol=1e-6)


def test_with_more_neighbours_it_is_their_mean():
    train, probe = rows(300), rows(50, seed=1)
    module, _ = neighbourhood(train, neighbours=3)

    nearest = torch.cdist(probe, train).topk(3, largest=False).indices
    torch.testing.assert_close(module(probe)[0], train[nearest].mean(dim=1))


def test_it_stores_so_many_rows_at_most_and_all_of_them_are_training_rows():
    train = rows(300)
    (some, result), (others, _) = (neighbourhood(train, seed, rows=40) for seed in (0, 1))

    known = {row.tobytes() for row in train.numpy()}
    assert {row.tobytes() for row in some.stored.numpy()} <= known
    assert len({row.tobytes() for row in some.stored.numpy()}) == 40
    assert not torch.equal(some.stored, others.stored)
    assert result.measured["stored_rows"] == 40


def test_a_remark_says_that_rows_are_stored_as_measured():
    _, result = neighbourhood(rows(300))

    assert "300 training rows as they were measured" in result.remarks[0]


def test_fewer_rows_than_neighbours_are_remarked_on_and_all_stored():
    module, result = neighbourhood(rows(10)[:4], neighbours=6)

    assert "fewer than the 6 neighbours" in result.remarks[1]
    torch.testing.assert_close(module(rows(1, seed=1))[0, 0], rows(10)[:4].mean(dim=0))


@pytest.mark.parametrize("stored", [50, 400])
def test_it_comes_back_from_its_weights_however_many_rows_it_stores(stored):
    fitted = fit(
        Block("train", normal_rows(500)), schema(), NearestNeighboursModel(rows=stored), PLAIN
    )
    probe = normal_rows(30, seed=2).to_numpy(np.float32)

    with torch.no_grad():
        by_torch = restore(fitted)(torch.from_numpy(probe)).score.numpy()

    np.testing.assert_allclose(Graph(fitted.graph).score(probe).score, by_torch, rtol=1e-5)
    assert len(fitted.weights["network.stored"]) == stored


def test_it_rebuilds_rows_so_its_health_is_measured_like_that_of_a_network():
    fitted = fit(Block("train", normal_rows(800)), schema(), NearestNeighboursModel(), PLAIN)
    probe = normal_rows(500, seed=2).to_numpy(np.float32)

    found = diagnose(Graph(fitted.graph).reconstruct, probe, seed=0)

    assert fitted.facts.by_reconstruction
    assert 0.05 < found.noise_passthrough < 0.7  # noise moves some rows to another neighbour
    assert 0.8 < found.explained_variance < 1
