"""Small denoising autoencoders without a bottleneck, several in one batched computation.

They are shown noisy rows and asked for the clean ones. Such a network cannot settle for copying
its input, however wide it is and however long it trains.
Source: Vincent et al., JMLR 2010; noise on many scales after Song & Ermon, NeurIPS 2019.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from pipeline.config.fitting import DenoisingModel
from pipeline.detector.models.family import Family

_TIMID = 0.1  # the last layer starts small: an untrained network returns its input


class DenoisingEnsemble(nn.Module):
    """inputs - width - width - inputs with SiLU; the output is added to the input."""

    def __init__(self, settings: DenoisingModel, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = [inputs, settings.width, settings.width, inputs]
        gains = [1.0, 1.0, _TIMID]
        shapes = list(zip(sizes, sizes[1:], gains, strict=False))
        self.weights = nn.ParameterList(
            torch.randn(settings.members, n_in, n_out, generator=generator)
            * (gain * math.sqrt(2 / n_in))  # He et al., ICCV 2015
            for n_in, n_out, gain in shapes
        )
        self.biases = nn.ParameterList(
            torch.zeros(settings.members, 1, n_out) for _, n_out, _ in shapes
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Denoised rows of each member, shape (members, n, inputs)."""
        hidden = rows
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = nn.functional.silu(hidden)
            hidden = torch.matmul(hidden, weight) + bias
        return rows + hidden


def build(settings: DenoisingModel, inputs: int, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return DenoisingEnsemble(settings, inputs, generator)


def corrupt(
    settings: DenoisingModel, rows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """`rows` plus Gaussian noise; each row draws its own size, log-uniform in `settings.noise`."""
    low, high = (math.log(bound) for bound in settings.noise)
    size = torch.rand((*rows.shape[:-1], 1), generator=generator)
    noise = torch.randn(rows.shape, generator=generator)
    return rows + torch.exp(low + (high - low) * size) * noise


DENOISING = Family(build=build, corrupt=corrupt)
