import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.config import ReconstructionScore
from pipeline.config.model import LinearModel
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.models.family import InputShape, TrainingContext
from pipeline.detector.models.linear import build, learn
from pipeline.detector.scores.losses import SquaredError
from pipeline.detector.training.fit import fit
from tests.detector.plant import normal_rows, schema


def projected(rows, ridge=0.1):
    settings, generator = LinearModel(ridge=ridge), torch.Generator()
    module = build(settings, InputShape(1, rows.shape[1]), generator)
    result = learn(
        settings, module, TrainingContext(rows, rows[:50], None, SquaredError(), generator)
    )
    return module, result


def correlated(rows=500, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, 2)) @ random.normal(size=(2, 6))
    return torch.from_numpy((values + 0.1 * random.normal(size=(rows, 6))).astype(np.float32))


def test_the_squared_error_is_the_ridge_mahalanobis_distance():
    rows = correlated()
    module, _ = projected(rows, ridge=0.3)
    probe = 3 * correlated(20, seed=1)

    error = ((module(probe)[0] - probe) ** 2).sum(dim=1)

    exact = rows.double()
    centred = probe.double() - exact.mean(dim=0)
    covariance = torch.cov(exact.T, correction=0) + 0.3 * torch.eye(6, dtype=torch.float64)
    distance = 0.3 * (centred @ torch.linalg.inv(covariance) * centred).sum(dim=1)
    torch.testing.assert_close(error.double(), distance, rtol=1e-4, atol=1e-4)


def test_what_varies_much_passes_and_what_hardly_varies_does_not():
    rows = correlated()
    module, result = projected(rows, ridge=0.05)
    widest, narrowest = (torch.linalg.eigh(torch.cov(rows.T)).eigenvectors[:, n] for n in (-1, 0))

    def passed(axis):
        moved = module(2 * axis[None]) - module(0 * axis[None])
        return float(moved[0, 0] @ axis) / 2

    assert passed(widest) > 0.8
    assert passed(narrowest) < 0.3
    assert 1.5 < result.measured["linear_dimensions"] < 3


def test_the_mean_row_is_reconstructed_exactly():
    rows = correlated() + 3.0
    module, _ = projected(rows)
    mean = rows.double().mean(dim=0).float()[None]

    torch.testing.assert_close(module(mean)[0], mean, rtol=1e-5, atol=1e-5)


def test_a_smaller_ridge_leaves_less_behind():
    rows = correlated()

    left = [projected(rows, ridge)[1].history[0].train for ridge in (0.01, 0.1, 1.0)]

    assert left[0] < left[1] < left[2]


def test_a_feature_that_breaks_the_correlation_is_blamed():
    fitted = fit(
        Block("train", normal_rows(1000)),
        schema(),
        LinearModel(),
        ReconstructionScore(error="plain"),
    )
    rows = normal_rows(200, seed=3).to_numpy(np.float32)
    graph = Graph(fitted.graph)
    rows[:, 1] += 3000

    assert (graph.score(rows).error.argmax(axis=1) == 1).mean() > 0.9


@pytest.mark.parametrize("loss", ["huber", "bce", "poisson"])
def test_only_least_squares_has_a_closed_form(loss):
    with pytest.raises(ValidationError, match="mse"):
        LinearModel(loss=loss)
