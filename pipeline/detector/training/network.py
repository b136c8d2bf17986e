"""All steps from raw features to a score as one torch module, which is exported and served."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.inputs.missing_values import MissingValues, mask_missing
from pipeline.detector.inputs.scaling import Scaler
from pipeline.detector.training.window_channels import WindowChannels


class NetworkOutput(NamedTuple):
    """For n windows of L rows and d features: score (n,), error (n, d), reconstruction (n, L d)."""

    score: torch.Tensor
    feature_error: torch.Tensor
    reconstruction: torch.Tensor


class Scaling(nn.Module):
    """A scaler for windows of several rows, and their pseudo-rows; training uses it too."""

    mean: torch.Tensor
    scale: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor

    def __init__(
        self, scaler: Scaler, *, window: int, channels: WindowChannels | None = None
    ) -> None:
        super().__init__()
        self.channels = channels
        for name, values in asdict(scaler).items():
            self.register_buffer(name, torch.tensor(values * window, dtype=torch.float32))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows of shape (n, L d), scaled and clipped, followed by their pseudo-rows, if any."""
        scaled = torch.clamp((rows - self.mean) / self.scale, self.lowest, self.highest)
        if self.channels is None:
            return scaled
        widened: torch.Tensor = self.channels(scaled)
        return widened

    def undone(self, scaled: torch.Tensor) -> torch.Tensor:
        """Scaled rows in the rows' own units, (n, L d), without pseudo-rows."""
        return scaled[:, : len(self.mean)] * self.scale + self.mean


class ScoringNetwork(nn.Module):
    """Scaling, ensemble and score in one."""

    def __init__(
        self,
        scaling: Scaling,
        ensemble: nn.Module,
        loss: nn.Module,
        scoring: nn.Module,
        missing_values: MissingValues | None = None,
    ) -> None:
        super().__init__()
        self.scaling, self.ensemble = scaling, ensemble
        self.loss, self.scoring, self.missing_values = loss, scoring, missing_values

    def forward(self, rows: torch.Tensor) -> NetworkOutput:
        """Score raw feature rows of shape (n, L d); NaN is missing, where that is allowed."""
        scaled = self.scaling(rows)
        if self.missing_values is not None:
            # onnxruntime's clip may turn NaN into a number.
            scaled = torch.where(torch.isnan(rows), rows, scaled)
        output: torch.Tensor = self.ensemble(scaled)
        if self.missing_values is not None:
            output, scaled = mask_missing(self.loss, scaled, output)
        made: torch.Tensor = self.loss.reconstruction(output)  # type: ignore[operator]  # of every loss
        error: torch.Tensor = self.scoring(scaled, output, made)
        if self.missing_values is not None:
            error = self.missing_values(error, rows)
        return NetworkOutput(error.sum(dim=1), error, self.scaling.undone(made.mean(dim=0)))
