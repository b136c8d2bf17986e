"""What the families over windows share: rows as steps of time, and how windows are spoilt.

Pseudo-rows are dealt out to the rows they belong to: a step of time holds its row, how that row
differs from the one before (nothing for the oldest), and the statistics of the whole window.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model.windowed import Windowed
from pipeline.detector.descent import by_steps
from pipeline.detector.models.family import FitResult, InputShape, TrainingContext
from pipeline.detector.models.noise import with_noise


class StepSettings:
    """Model inputs as steps of time and back.

    Attributes:
        shape: of the model input.
        channels: numbers in one step.
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
        """(..., rows, channels) to (..., inputs): a statistic is the mean of what steps say."""
        kinds = list(steps.chunk(self.channels // self.shape.features, dim=-1))
        parts = [kinds.pop(0)]
        if self.shape.derivative:
            parts.append(kinds.pop(0)[..., 1:, :])
        parts += [kind.mean(dim=-2, keepdim=True) for kind in kinds]
        return torch.cat(parts, dim=-2).flatten(start_dim=-2)


def spoil(
    settings: Windowed, shape: InputShape, windows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Spoilt `windows` of shape (members, n, inputs) or (n, inputs).

    Gaussian noise, of a size that each window draws log-uniformly in `settings.noise`. Then each
    window draws a share between 0 and twice `settings.swap`, and so many of its features have the
    course of another window; a share of `settings.replaced` of its rows, with how they change, are
    another window's altogether. A single swapped cell would teach little: its neighbours in time
    give it away.
    """
    lead = windows.shape[:-1]
    noisy = with_noise(windows, settings.noise, generator)
    share = 2 * settings.swap * torch.rand((*lead, 1), generator=generator)
    course = torch.rand((*lead, shape.features), generator=generator) < share
    replaced = torch.rand((*lead, shape.rows), generator=generator) < settings.replaced
    blocks = [replaced, replaced[..., 1:]] if shape.derivative else [replaced]
    blocks.append(torch.zeros((*lead, len(shape.rolling)), dtype=torch.bool))
    of_others = course[..., None, :] | torch.cat(blocks, dim=-1)[..., None]
    # Batches are drawn at random, so the next window is as random a donor as any.
    return torch.where(of_others.flatten(start_dim=-2), windows.roll(1, dims=-2), noisy)


def learn_to_restore(settings: Windowed, ensemble: nn.Module, lesson: TrainingContext) -> FitResult:
    """How an ensemble with an attribute `shape` learns to give clean windows for spoilt ones."""
    shape: InputShape = ensemble.shape  # type: ignore[assignment]  # torch types attributes as modules

    def spoilt(
        settings: Windowed, windows: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        return spoil(settings, shape, windows, generator)

    return by_steps(spoil=spoilt)(settings, ensemble, lesson)
