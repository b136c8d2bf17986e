"""All steps from raw features to a score as one torch module, which is exported and served.

A window has derived inputs besides its rows: the changes of features, and statistics. Each of them
is a pseudo-row, one number a feature, after the rows of the window, scaled by its own standard
deviation: a smooth feature changes little, so a jump of it stands out. All is computed from the
rows of the window, inside the exported network: it uses no later rows, cannot differ between
training and serving, and a feature's error includes that of its pseudo-rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.inputs.missing_values import MissingValues, mask_missing
from pipeline.detector.inputs.scaling import Scaler, fit_scaler
from pipeline.detector.models.family import InputShape

_MOST_WINDOWS = 100_000  # enough for standard deviations, and memory stays bounded


class WindowChannels(nn.Module):
    """Adds the pseudo-rows to the rows of a window.

    Attributes:
        mean: mean of each value of each pseudo-row, on training windows.
        scale: likewise.
        lowest: scaled pseudo-rows are clipped here, as rows are.
        highest: likewise.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor

    def __init__(self, shape: InputShape) -> None:
        super().__init__()
        self.shape = shape
        size = shape.inputs - shape.rows * shape.features
        for name in ("mean", "scale", "lowest", "highest"):
            self.register_buffer(name, torch.zeros(size))

    def forward(self, scaled: torch.Tensor) -> torch.Tensor:
        """Scaled rows (n, rows * d), followed by scaled pseudo-rows: (n, inputs)."""
        derived = (self.derived(scaled) - self.mean) / self.scale
        return torch.cat([scaled, torch.clamp(derived, self.lowest, self.highest)], dim=1)

    def derived(self, scaled: torch.Tensor) -> torch.Tensor:
        """Pseudo-rows in the units of `scaled`: changes from row to row, then statistics."""
        rows = scaled.reshape(-1, self.shape.rows, self.shape.features)
        parts = [rows[:, 1:] - rows[:, :-1]] if self.shape.derivative else []
        parts += [statistic(name, rows) for name in self.shape.rolling]
        return torch.cat(parts, dim=1).flatten(start_dim=1)


def statistic(name: str, rows: torch.Tensor) -> torch.Tensor:
    """The statistic called `name` over the rows of each window: (n, rows, d) to (n, 1, d).

    Raises:
        KeyError: no such statistic.
    """
    if name == "mean":
        return rows.mean(dim=1, keepdim=True)
    if name == "std":
        return (rows - rows.mean(dim=1, keepdim=True)).square().mean(dim=1, keepdim=True).sqrt()
    if name == "min":
        return rows.amin(dim=1, keepdim=True)
    if name == "max":
        return rows.amax(dim=1, keepdim=True)
    raise KeyError(name)


def fit_channels(shape: InputShape, scaled: torch.Tensor, judged: Sequence[bool]) -> WindowChannels:
    """The channels of `shape`, scaled by the deviations in scaled training windows (n, rows * d).

    The spread of a pseudo-row has the floors of `fit_scaler`, and pseudo-rows of context are
    clipped to their range in training, as context itself is.
    """
    channels = WindowChannels(shape)
    pseudo_rows = shape.blocks - shape.rows
    few = scaled[:: -(-len(scaled) // _MOST_WINDOWS)]
    scaler = fit_scaler(channels.derived(few).numpy(), tuple(judged) * pseudo_rows)
    channels.load_state_dict(buffers_of(scaler))
    return channels


def buffers_of(scaler: Scaler) -> dict[str, torch.Tensor]:
    """A scaler as tensors, by name."""
    return {name: torch.tensor(values) for name, values in asdict(scaler).items()}


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
        made: torch.Tensor = self.loss.reconstruction(output)  # type: ignore[operator]  # torch types attributes as tensors or modules
        error: torch.Tensor = self.scoring(scaled, output, made)
        if self.missing_values is not None:
            error = self.missing_values(error, rows)
        return NetworkOutput(error.sum(dim=1), error, self.scaling.undone(made.mean(dim=0)))
