"""The whole way from raw features to a score as one torch module: what is exported and served."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.scaling import FAR, Scaler
from pipeline.detector.weighing import Weighing


class Judged(NamedTuple):
    """Of n windows of L rows and d features: score (n,), error (n, d), reconstruction (n, L d)."""

    score: torch.Tensor
    feature_error: torch.Tensor
    reconstruction: torch.Tensor


class ScoringNetwork(nn.Module):
    """Scaler, ensemble and weighing in one."""

    mean: torch.Tensor
    scale: torch.Tensor
    weight: torch.Tensor
    usual: torch.Tensor

    def __init__(
        self, ensemble: nn.Module, scaler: Scaler, weighing: Weighing, *, window: int
    ) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.features = len(weighing.weight)
        self.cap = weighing.cap
        self.register_buffer("mean", torch.tensor(scaler.mean * window, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scaler.scale * window, dtype=torch.float32))
        self.register_buffer("weight", torch.tensor(weighing.weight, dtype=torch.float32))
        self.register_buffer("usual", torch.tensor(weighing.usual, dtype=torch.float32))

    def forward(self, rows: torch.Tensor) -> Judged:
        """Judge raw feature rows of shape (n, L d)."""
        scaled = torch.clamp((rows - self.mean) / self.scale, -FAR, FAR)
        made: torch.Tensor = self.ensemble(scaled)
        error = squared_error(made, scaled, self.features) / self.usual
        if self.cap is not None:
            error = self.cap * torch.log(1 + error / self.cap)
        error = error * self.weight
        return Judged(error.sum(dim=1), error, made.mean(dim=0) * self.scale + self.mean)


def squared_error(made: torch.Tensor, scaled: torch.Tensor, features: int) -> torch.Tensor:
    """Error of each feature, (n, d): mean of the squares over members and rows of a window."""
    by_input = ((made - scaled) ** 2).mean(dim=0)
    if by_input.shape[1] == features:
        return by_input
    return by_input.reshape(-1, by_input.shape[1] // features, features).mean(dim=1)
