"""Small recurrent autoencoders: one GRU encodes a window, another decodes it, newest row first.

The decoder gets only the last state of the encoder, which is the bottleneck; and windows are
corrupted by `windowed.corrupt` with the clean window as target, so that even a wide state is no
copy.

Source: Cho et al., EMNLP 2014 (GRU encoder and decoder); Malhotra et al., 2016 (the window decoded
backwards, its reconstruction error as the score).
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model import RecurrentModel
from pipeline.detector.models.family import Family, InputShape
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers
from pipeline.detector.models.windowed import StepSettings, learn_to_denoise

_INWARD = 0.7  # about orthogonal at the start: states neither fade nor grow


class MemberCell(nn.Module):
    """A step of a GRU for each member; its input has been mapped already."""

    def __init__(self, members: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inward = BatchedLayers(members, (width, 3 * width), generator, last_gain=_INWARD)

    def forward(self, read: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The next state (members, n, width) from `read`, (members, n, 3 width)."""
        reset_in, update_in, new_in = read.chunk(3, dim=-1)
        reset_of, update_of, new_of = self.inward(state).chunk(3, dim=-1)
        reset, update = torch.sigmoid(reset_in + reset_of), torch.sigmoid(update_in + update_of)
        new = torch.tanh(new_in + reset * new_of)
        return new + update * (state - new)


class RecurrentEnsemble(nn.Module):
    """Two GRUs and a last map, for all members at once."""

    def __init__(
        self, settings: RecurrentModel, shape: InputShape, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.shape, self.steps = shape, StepSettings(shape)
        members, width, channels = settings.members, settings.width, self.steps.channels
        self.read = BatchedLayers(members, (channels, 3 * width), generator, last_gain=_INWARD)
        self.start = nn.Parameter(torch.zeros(members, 1, width))
        self.reader = MemberCell(members, width, generator)
        self.recall = BatchedLayers(members, (width, 3 * width), generator, last_gain=_INWARD)
        self.teller = MemberCell(members, width, generator)
        self.last = BatchedLayers(members, (width, channels), generator, last_gain=SMALL_GAIN)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Windows denoised by each member, shape (members, n, inputs)."""
        rows = self.shape.rows
        read = self.steps.apart(self.read(self.steps.of(inputs).flatten(-3, -2)))
        state: torch.Tensor = self.start
        for row in range(rows):
            state = self.reader(read[:, :, row], state)
        recalled = self.recall(state)
        states = []
        for _ in range(rows):
            state = self.teller(recalled, state)
            states.append(state)
        newest_last = torch.stack(states[::-1], dim=2)
        denoised: torch.Tensor = self.last(newest_last.flatten(1, 2))
        return self.steps.back(self.steps.apart(denoised))


def build(settings: RecurrentModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return RecurrentEnsemble(settings, shape, generator)


RECURRENT = Family(build=build, learn=learn_to_denoise, minimum_rows=2)
