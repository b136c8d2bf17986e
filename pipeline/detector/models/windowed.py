"""Common code of the families over windows: rows as time steps, and the corruption of windows.

Each time step holds its row, the difference from the row before (zero for the oldest), and the
statistics of the whole window.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.family import Windowed
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import FitResult, InputShape, TrainingContext
from pipeline.detector.models.noise import with_noise


class StepSettings:
    """Conversion of model inputs to time steps and back.

    Attributes:
        shape: shape of the model input.
        channels: number of values in one step.
    """

    def __init__(self, shape: InputShape) -> None:
        self.shape = shape
        self.channels = shape.features * (1 + shape.derivative + len(shape.rolling))

    def of(self, inputs: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., rows, channels)."""
        rows, features = self.shape.rows, self.shape.features
        blocks = inputs.reshape(*inputs.shape[:-1], self.shape.blocks, features)
        parts = [blocks[..., :rows, :]]
        if self.shape.derivative:
            changes = blocks[..., rows : 2 * rows - 1, :]
            parts.append(nn.functional.pad(changes, (0, 0, 1, 0)))
        for back in range(len(self.shape.rolling), 0, -1):
            last = self.shape.blocks - back
            parts.append(torch.cat([blocks[..., last : last + 1, :]] * rows, dim=-2))
        return torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]

    def apart(self, steps: torch.Tensor) -> torch.Tensor:
        """(members, n * rows, width) to (members, n, rows, width)."""
        return steps.reshape(steps.shape[0], -1, self.shape.rows, steps.shape[-1])

    def back(self, steps: torch.Tensor) -> torch.Tensor:
        """(..., rows, channels) to (..., inputs): a statistic is its mean over the steps."""
        kinds = list(steps.chunk(self.channels // self.shape.features, dim=-1))
        parts = [kinds.pop(0)]
        if self.shape.derivative:
            parts.append(kinds.pop(0)[..., 1:, :])
        parts += [kind.mean(dim=-2, keepdim=True) for kind in kinds]
        return torch.cat(parts, dim=-2).flatten(start_dim=-2)


def corrupt(
    settings: Windowed, shape: InputShape, windows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Corrupted `windows` of shape (members, n, inputs) or (n, inputs).

    Gaussian noise, its size sampled log-uniformly in `settings.noise` for each window. Then a share
    of each window's features, sampled between 0 and twice `settings.swap`, is replaced by those of
    another window; a share `settings.replaced` of its rows, with their differences, comes from
    another window altogether. A single swapped cell would teach little: its neighbours in time
    reveal it.
    """
    lead = windows.shape[:-1]
    noisy = with_noise(windows, settings.noise, generator)
    share = 2 * settings.swap * torch.rand((*lead, 1), generator=generator)
    course = torch.rand((*lead, shape.features), generator=generator) < share
    replaced = torch.rand((*lead, shape.rows), generator=generator) < settings.replaced
    blocks = [replaced, replaced[..., 1:]] if shape.derivative else [replaced]
    blocks.append(torch.zeros((*lead, len(shape.rolling)), dtype=torch.bool))
    of_others = course[..., None, :] | torch.cat(blocks, dim=-1)[..., None]
    # Batches are sampled at random, so the next window is as random a donor as any.
    return torch.where(of_others.flatten(start_dim=-2), windows.roll(1, dims=-2), noisy)


def learn_to_denoise(
    settings: Windowed, ensemble: nn.Module, training: TrainingContext
) -> FitResult:
    """Train an ensemble with an attribute `shape` to denoise corrupted windows."""
    shape: InputShape = ensemble.shape  # type: ignore[assignment]  # torch types attributes as modules

    def corrupted(
        settings: Windowed, windows: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        return corrupt(settings, shape, windows, generator)

    return by_gradient_descent(corrupt=corrupted)(settings, ensemble, training)
