"""The whole way from raw features to a score as one torch module: what is exported and served."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.scaling import Scaler


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
    """Scaling, ensemble and score in one."""

    def __init__(
        self, scaling: Scaling, ensemble: nn.Module, loss: nn.Module, scoring: nn.Module
    ) -> None:
        super().__init__()
        self.scaling, self.ensemble = scaling, ensemble
        self.loss, self.scoring = loss, scoring

    def forward(self, rows: torch.Tensor) -> Judged:
        """Judge raw feature rows of shape (n, L d)."""
        scaled = self.scaling(rows)
        output: torch.Tensor = self.ensemble(scaled)
        made: torch.Tensor = self.loss.rebuilt(output)  # type: ignore[operator]  # of every loss
        error: torch.Tensor = self.scoring(scaled, output, made)
        return Judged(error.sum(dim=1), error, self.scaling.undone(made.mean(dim=0)))
