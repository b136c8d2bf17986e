"""Small recurrent autoencoders: one GRU reads a window, another tells it anew, newest row first.

All that the second hears is the last state of the first, which is the bottleneck; and windows are
spoilt as `windowed.spoil` says and clean ones asked for, so that even a wide state is no copy.

Source: Cho et al., EMNLP 2014 (GRU encoder and decoder); Malhotra et al., 2016 (the window told
backwards, its reconstruction error as the score).
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model import RecurrentModel
from pipeline.detector.models.family import Family, InputShape
from pipeline.detector.models.layers import TIMID, BatchedLayers
from pipeline.detector.models.windowed import StepSettings, learn_to_restore

_INWARD = 0.7  # about orthogonal at the start: states neither fade nor grow


class MemberCell(nn.Module):
    """A step of a GRU for each member; what it reads has been mapped already."""

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
        self.last = BatchedLayers(members, (width, channels), generator, last_gain=TIMID)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Mended windows of each member, shape (members, n, inputs)."""
        rows = self.shape.rows
        read = self.steps.apart(self.read(self.steps.of(inputs).flatten(-3, -2)))
        state: torch.Tensor = self.start
        for row in range(rows):
            state = self.reader(read[:, :, row], state)
        recalled = self.recall(state)
        told = []
        for _ in range(rows):
            state = self.teller(recalled, state)
            told.append(state)
        newest_last = torch.stack(told[::-1], dim=2)
        mended: torch.Tensor = self.last(newest_last.flatten(1, 2))
        return self.steps.back(self.steps.apart(mended))


def build(settings: RecurrentModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return RecurrentEnsemble(settings, shape, generator)


RECURRENT = Family(build=build, learn=learn_to_restore, minimum_rows=2)
