"""The whole way from raw features to a score as one torch module: what is exported and served."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.scaling import Scaler
from pipeline.detector.weighing import Weighing


class Judged(NamedTuple):
    """Of n windows of L rows and d features: score (n,), error (n, d), reconstruction (n, L d)."""

    score: torch.Tensor
    feature_error: torch.Tensor
    reconstruction: torch.Tensor


class Scaling(nn.Module):
    """A scaler for windows of several rows; also what training sees."""

    mean: torch.Tensor
    scale: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor

    def __init__(self, scaler: Scaler, *, window: int) -> None:
        super().__init__()
        for name, values in asdict(scaler).items():
            self.register_buffer(name, torch.tensor(values * window, dtype=torch.float32))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Scaled and clipped rows of shape (n, L d)."""
        return torch.clamp((rows - self.mean) / self.scale, self.lowest, self.highest)

    def undone(self, scaled: torch.Tensor) -> torch.Tensor:
        """Scaled rows in the rows' own units."""
        return scaled * self.scale + self.mean


class ScoringNetwork(nn.Module):
    """Scaler, ensemble and weighing in one."""

    weight: torch.Tensor
    usual: torch.Tensor

    def __init__(
        self, ensemble: nn.Module, scaler: Scaler, weighing: Weighing, *, window: int
    ) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.features = len(weighing.weight)
        self.cap = weighing.cap
        self.scaling = Scaling(scaler, window=window)
        self.register_buffer("weight", torch.tensor(weighing.weight, dtype=torch.float32))
        self.register_buffer("usual", torch.tensor(weighing.usual, dtype=torch.float32))

    def forward(self, rows: torch.Tensor) -> Judged:
        """Judge raw feature rows of shape (n, L d)."""
        scaled = self.scaling(rows)
        made: torch.Tensor = self.ensemble(scaled)
        error = squared_error(made, scaled, self.features) / self.usual
        if self.cap is not None:
            error = self.cap * torch.log(1 + error / self.cap)
        error = error * self.weight
        return Judged(error.sum(dim=1), error, self.scaling.undone(made.mean(dim=0)))


def squared_error(made: torch.Tensor, scaled: torch.Tensor, features: int) -> torch.Tensor:
    """Error of each feature, (n, d): mean of the squares over members and rows of a window."""
    by_input = ((made - scaled) ** 2).mean(dim=0)
    if by_input.shape[1] == features:
        return by_input
    return by_input.reshape(-1, by_input.shape[1] // features, features).mean(dim=1)
