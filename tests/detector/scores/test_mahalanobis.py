import pytest
import torch
from torch import nn

from pipeline.config.score import ReconstructionScore
from pipeline.detector.scores.reconstruction import fit, restore
from pipeline.errors import ConfigError
from tests.detector.scores.made import normal, scored, training_data

JOINT = ReconstructionScore(error="mahalanobis")


def together(rows, *, seed=0):
    """Two residuals that always agree, and two of their own."""
    residuals = normal(rows, seed=seed)
    residuals[:, 1] = residuals[:, 0] + 0.1 * residuals[:, 1]
    return residuals


def test_a_usual_row_scores_about_one():
    module = fit(JOINT, training_data(normal(100), normal(2000, seed=1)))

    assert float(scored(module, normal(2000, seed=2)).sum(dim=1).mean()) == pytest.approx(1, 0.1)


def test_residuals_that_break_the_correlation_score_above_equally_large_ones_that_do_not():
    module = fit(JOINT, training_data(together(100), together(2000, seed=1)))
    apart, alike = torch.tensor([[[1.0, -1, 0, 0]], [[1.0, 1, 0, 0]]])

    assert scored(module, apart).sum() > 5 * scored(module, alike).sum()


def test_the_score_is_the_distance_worked_out_by_hand():
    held, rows = together(500, seed=1), together(20, seed=2)
    module = fit(JOINT, training_data(together(100), held))

    size = held.double().square().mean(dim=0).sqrt()
    standard = held.double() / size
    joint = standard.T @ standard / len(standard) + 0.05 * torch.eye(4)
    placed = rows.double() / size
    by_hand = (placed * torch.linalg.solve(joint, placed.T).T).sum(dim=1) / 4
    torch.testing.assert_close(scored(module, rows).sum(dim=1).double(), by_hand, rtol=1e-4, atol=0)


def test_context_does_not_count():
    judged = (True, True, True, False)
    module = fit(JOINT, training_data(together(100), together(500, seed=1), judged=judged))
    rows = together(20, seed=2)
    elsewhere = rows + torch.tensor([0.0, 0, 0, 40])

    torch.testing.assert_close(scored(module, elsewhere), scored(module, rows))
    assert float(scored(module, elsewhere)[:, 3].abs().max()) == 0


def test_the_cap_holds_one_feature_down():
    given = training_data(together(100), together(500, seed=1))
    capped = fit(ReconstructionScore(error="mahalanobis", cap=5.0), given)
    wild = torch.tensor([[0.0, 0, 0, 50]])

    assert scored(capped, wild).sum() < 0.1 * scored(fit(JOINT, given), wild).sum()


def test_fewer_held_out_rows_than_features_still_give_a_finite_score():
    module = fit(JOINT, training_data(normal(20, 30), normal(5, 30, seed=1)))

    assert torch.isfinite(scored(module, normal(50, 30, seed=2))).all()


def test_it_is_restored_from_its_buffers():
    module = fit(JOINT, training_data(together(100), together(500, seed=1)))
    rows = together(20, seed=2)

    again = restore(JOINT, nn.Identity(), dict(module.state_dict()))

    assert torch.equal(scored(again, rows), scored(module, rows))


def test_another_loss_than_mse_is_refused():
    given = training_data(together(100), together(500, seed=1), loss=nn.Identity())

    with pytest.raises(ConfigError, match=r"Set model.loss: mse, or score.error: standardised"):
        fit(JOINT, given)
