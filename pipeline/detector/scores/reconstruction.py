"""Reconstruction error of a row: the weighted sum of the losses of its features."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.score import ReconstructionScore
from pipeline.detector.scores import mahalanobis
from pipeline.detector.scores.by_feature import at_least_a_share, mean_of_window, softly_capped
from pipeline.detector.scores.score import Parts, ScoreTrainingData


class ReconstructionError(nn.Module):
    """score = sum over features of weight * e, with e the (capped) loss in usual losses.

    Attributes:
        weight: of each feature, 0 for context; sums to 1.
        usual: the usual loss of each feature, which its loss is divided by.
        cap: soft limit of e; None: no limit.
    """

    weight: torch.Tensor
    usual: torch.Tensor

    def __init__(
        self,
        loss: nn.Module,
        cap: float | None,
        weight: torch.Tensor,
        usual: torch.Tensor,
    ) -> None:
        super().__init__()
        self.loss, self.cap = loss, cap
        self.register_buffer("weight", weight)
        self.register_buffer("usual", usual)

    def forward(
        self, scaled: torch.Tensor, output: torch.Tensor, made: torch.Tensor
    ) -> torch.Tensor:
        """Contribution of each feature to the score, shape (n, d)."""
        del made
        error = feature_loss(self.loss, output, scaled, len(self.weight)) / self.usual
        return softly_capped(error, self.cap) * self.weight


def feature_loss(
    loss: nn.Module, output: torch.Tensor, scaled: torch.Tensor, features: int
) -> torch.Tensor:
    """Loss of each feature, (n, d): mean over members and over the rows of a window."""
    return mean_of_window(loss(output, scaled).mean(dim=0), features)


def fit(settings: ReconstructionScore, data: ScoreTrainingData) -> nn.Module:
    """The score with feature weights fitted on held-out training rows.

    `plain` adds up plain losses. `standardised` divides each loss by the usual loss of its feature,
    so that a feature that the network reconstructs well can raise an alarm by itself; usual losses
    below 5 % of the mean are raised to it, because a tiny one would only amplify noise.
    `mahalanobis` accounts for the correlation of the residuals.

    Raises:
        ConfigError: mahalanobis with another loss than mse.
    """
    if settings.error == "mahalanobis":
        return mahalanobis.fit(settings.cap, data)
    weight = torch.tensor(data.judged, dtype=torch.float64)
    usual = torch.ones_like(weight)
    if settings.error == "standardised":
        error = feature_loss(data.loss, data.output, data.held, len(weight))
        usual = error.double().mean(dim=0)
        usual = at_least_a_share(usual, usual.mean())
        usual = torch.where(usual > 0, usual, 1.0)
    weight = weight / weight.sum()
    return ReconstructionError(data.loss, settings.cap, weight.float(), usual.float())


def restore(settings: ReconstructionScore, loss: nn.Module, parts: Parts) -> nn.Module:
    """The fitted score, from its buffers."""
    if settings.error == "mahalanobis":
        return mahalanobis.restore(settings.cap, parts)
    return ReconstructionError(loss, settings.cap, parts["weight"], parts["usual"])
