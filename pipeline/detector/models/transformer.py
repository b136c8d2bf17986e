"""Small transformer encoders over windows, which denoise each row by attention to the others.

Each row of a window is one token with a learned position. In training some rows come from another
window, and all are noisy (`windowed.corrupt`); the target is the clean window, so that a row cannot
simply attend to itself. One layer is enough, as windows are short.

Source: Vaswani et al., NeurIPS 2017, with the norm first (Xiong et al., ICML 2020); learned
positions and masked rows for time series after Zerveas et al., KDD 2021.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from pipeline.config.model import TransformerModel
from pipeline.detector.models.family import Family, InputShape
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers
from pipeline.detector.models.windowed import StepSettings, learn_to_denoise

_POSITION = 1.0  # initial deviation of positions; small ones leave attention blind to order
_GATHER = 0.7  # the output of attention counts from the start
_INNER = 2  # times the width


class TransformerEnsemble(nn.Module):
    """Embedding, attention, two maps with SiLU, and a last map; for all members at once."""

    def __init__(
        self, settings: TransformerModel, shape: InputShape, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.shape, self.steps = shape, StepSettings(shape)
        self.heads, self.width = settings.heads, settings.width
        members, width, channels = settings.members, settings.width, self.steps.channels
        self.embed = BatchedLayers(members, (channels, width), generator)
        places = torch.randn(members, 1, shape.rows, width, generator=generator)
        self.places = nn.Parameter(_POSITION * places)
        self.look = BatchedLayers(members, (width, 3 * width), generator)
        self.gather = BatchedLayers(members, (width, width), generator, last_gain=_GATHER)
        self.widen = BatchedLayers(members, (width, _INNER * width), generator)
        self.narrow = BatchedLayers(members, (_INNER * width, width), generator, last_gain=_GATHER)
        self.last = BatchedLayers(members, (width, channels), generator, last_gain=SMALL_GAIN)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Windows denoised by each member, shape (members, n, inputs)."""
        embedded = self.embed(self.steps.of(inputs).flatten(-3, -2))
        tokens = (self.steps.apart(embedded) + self.places).flatten(1, 2)
        tokens = tokens + self.gather(self._attended(self._normed(tokens)))
        tokens = tokens + self.narrow(nn.functional.silu(self.widen(self._normed(tokens))))
        denoised: torch.Tensor = self.last(self._normed(tokens))
        return self.steps.back(self.steps.apart(denoised))

    def _attended(self, tokens: torch.Tensor) -> torch.Tensor:
        """Attention of each token to those of its window, (members, n * rows, width)."""
        size = self.width // self.heads
        looks = self.steps.apart(self.look(tokens))
        # The three are laid side by side, the heads within each.
        query, key, value = (
            part.reshape(*part.shape[:-1], self.heads, size).transpose(2, 3)
            for part in looks.chunk(3, dim=-1)
        )
        match = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(size)
        seen = torch.matmul(torch.softmax(match, dim=-1), value)
        return seen.transpose(2, 3).flatten(-2, -1).flatten(1, 2)

    def _normed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Each token with mean 0 and deviation 1; the map that follows scales it."""
        return nn.functional.layer_norm(tokens, (self.width,))


def build(settings: TransformerModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return TransformerEnsemble(settings, shape, generator)


TRANSFORMER = Family(build=build, learn=learn_to_denoise, minimum_rows=2)
