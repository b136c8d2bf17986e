"""Mahalanobis distance of the residuals, which accounts for their usual correlation.

Source: Mahalanobis, "On the generalised distance in statistics", 1936; the symmetric root, which
blames the features that moved rather than those correlated with them: Kessy, Lewin & Strimmer, The
American Statistician 2018.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.detector.scores.by_feature import at_least_a_share, mean_of_window, softly_capped
from pipeline.detector.scores.losses import SquaredError
from pipeline.detector.scores.score import Parts, ScoreTrainingData
from pipeline.errors import ConfigError

_RIDGE = 0.05
"""Least variance of a direction, in units of the usual variance of a residual: a residual that no
held-out row has is rare, not infinitely far."""


class JointError(nn.Module):
    """score = sum over features of weight * (r W)^2, in the mean of a window's rows.

    r is the mean residual of the members. The sum is the squared Mahalanobis distance of r, divided
    by the number of features that count: a usual row scores about 1, or less where the ridge limits
    directions in which residuals hardly move.

    Attributes:
        whitening: W = D^-1 C^-1/2 of the usual sizes D and the correlation C of the residuals,
            shape (inputs, inputs); rows and columns of context are 0.
        weight: of each feature, 0 for context; sums to 1.
        cap: soft limit of one feature's error; None: no limit.
    """

    whitening: torch.Tensor
    weight: torch.Tensor

    def __init__(self, cap: float | None, whitening: torch.Tensor, weight: torch.Tensor) -> None:
        super().__init__()
        self.cap = cap
        self.register_buffer("whitening", whitening)
        self.register_buffer("weight", weight)

    def forward(
        self, scaled: torch.Tensor, output: torch.Tensor, made: torch.Tensor
    ) -> torch.Tensor:
        """Contribution of each feature to the score, shape (n, d)."""
        del output
        whitened = torch.matmul(scaled - made.mean(dim=0), self.whitening)
        error = mean_of_window(whitened**2, len(self.weight))
        return softly_capped(error, self.cap) * self.weight


def fit(cap: float | None, data: ScoreTrainingData) -> nn.Module:
    """The score with a whitening fitted on the residuals of held-out rows.

    Residuals are first divided by their usual size (at least 5 % of the mean one), then whitened by
    the symmetric inverse root of their correlation, with a ridge.

    Raises:
        ConfigError: the loss is not mse: the residual of a logit or a count is not a distance.
    """
    if not isinstance(data.loss, SquaredError):
        msg = (
            f"score.error: mahalanobis measures squared residuals, and the loss is "
            f"{type(data.loss).__name__}. Set model.loss: mse, or score.error: standardised."
        )
        raise ConfigError(msg)
    weight = torch.tensor(data.judged, dtype=torch.float64)
    counted = (weight > 0).repeat(data.held.shape[1] // len(weight))
    residual = (data.held - data.output.mean(dim=0)).double()[:, counted]
    size = (residual**2).mean(dim=0)
    size = at_least_a_share(size, size.mean()).sqrt()
    size = torch.where(size > 0, size, 1.0)
    standard = residual / size
    variance, axes = torch.linalg.eigh(standard.T @ standard / len(standard))
    root = (axes * (variance.clamp(min=0) + _RIDGE) ** -0.5) @ axes.T
    place = counted.nonzero()
    whitening = torch.zeros(len(counted), len(counted), dtype=torch.float64)
    whitening[place, place.T] = root / size[:, None]
    return JointError(cap, whitening.float(), (weight / weight.sum()).float())


def restore(cap: float | None, parts: Parts) -> nn.Module:
    """The fitted score, from its buffers."""
    return JointError(cap, parts["whitening"], parts["weight"])
