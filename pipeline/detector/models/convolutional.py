"""Small denoising autoencoders that see a window through convolutions along time.

Each layer looks further to both sides than the one before (dilations 1, 2, 4, ...), until the
middle of a window sees all of it; the same weights serve each time step, so that there are few of
them and a few hundred steps train them. Windows are corrupted by `windowed.corrupt` and the target
is the clean window, so that copying the input is never the solution.

A convolution is computed as a matrix product over each step and its neighbours, for all members at
once. Source: dilated convolutions after van den Oord et al., 2016 (WaveNet), in both directions, as
a window holds no future rows; Vincent et al., JMLR 2010.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from pipeline.config.model import ConvolutionalModel
from pipeline.detector.models.family import Family, InputShape
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers
from pipeline.detector.models.windowed import StepSettings, learn_to_denoise

_TAPS = 3  # a step and its neighbours


class ConvolutionalEnsemble(nn.Module):
    """Dilated convolutions with SiLU, each after the first added to its input, and a last map."""

    def __init__(
        self, settings: ConvolutionalModel, shape: InputShape, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.shape, self.steps = shape, StepSettings(shape)
        sizes = [self.steps.channels] + [settings.width] * _layers(shape.rows)
        self.layers = nn.ModuleList(
            BatchedLayers(settings.members, (_TAPS * n_in, n_out), generator)
            for n_in, n_out in pairwise(sizes)
        )
        ends = (settings.width, self.steps.channels)
        self.last = BatchedLayers(settings.members, ends, generator, last_gain=SMALL_GAIN)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Windows denoised by each member, shape (members, n, inputs)."""
        hidden = self._convolved(0, self.steps.of(inputs))
        for layer in range(1, len(self.layers)):
            hidden = hidden + self._convolved(layer, self.steps.apart(hidden))
        return self.steps.back(self.steps.apart(self.last(hidden)))

    def _convolved(self, layer: int, steps: torch.Tensor) -> torch.Tensor:
        """Output of a layer for each step and its neighbours, (members, n * rows, width)."""
        found = self.layers[layer](_beside(steps, 2**layer).flatten(-3, -2))
        return nn.functional.silu(found)


def _layers(rows: int) -> int:
    """Number of layers after which the middle of `rows` rows sees both ends."""
    layers = 1
    while 2 * (2**layers - 1) + 1 < rows:
        layers += 1
    return layers


def _beside(steps: torch.Tensor, dilation: int) -> torch.Tensor:
    """Each step between those `dilation` before and after it; zeros outside the window."""
    rows = steps.shape[-2]
    padded = nn.functional.pad(steps, (0, 0, dilation, dilation))
    shifted = [padded[..., first : first + rows, :] for first in (0, dilation, 2 * dilation)]
    return torch.cat(shifted, dim=-1)


def build(settings: ConvolutionalModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return ConvolutionalEnsemble(settings, shape, generator)


CONVOLUTIONAL = Family(build=build, learn=learn_to_denoise, minimum_rows=_TAPS)
