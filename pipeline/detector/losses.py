"""Losses: what training minimises, and what the score adds up. One for both, or it would lie.

A network's output is not always the row itself: for shares it is a logit, for counts a logarithm.
So a loss says how far an output is from a row, and which row an output means. Each is 0 where the
output says exactly what the row holds, and positive elsewhere.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model import Loss as LossName
from pipeline.detector.scaling import Scaler

_HUBER_FROM = 1.0  # standard deviations


class SquaredError(nn.Module):
    """(output - row)^2, in variances of the feature."""

    def forward(self, output: torch.Tensor, scaled: torch.Tensor) -> torch.Tensor:
        """Loss of each cell; `output` may have a leading axis of members."""
        return (output - scaled) ** 2

    def rebuilt(self, output: torch.Tensor) -> torch.Tensor:
        """The scaled rows that an output means."""
        return output


def loss_of(name: LossName, scaler: Scaler, *, rows: int) -> nn.Module:
    """The loss called `name` for windows of `rows` rows that `scaler` has scaled."""
    del scaler, rows
    if name == "mse":
        return SquaredError()
    raise NotImplementedError(name)
