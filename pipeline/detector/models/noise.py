"""Gaussian noise on many scales, for families that learn to denoise.

Source: Vincent et al., JMLR 2010; many scales after Song & Ermon, NeurIPS 2019.
"""

from __future__ import annotations

import math

import torch


def with_noise(
    rows: torch.Tensor, sizes: tuple[float, float], generator: torch.Generator
) -> torch.Tensor:
    """`rows` of shape (..., inputs), each with noise of a size sampled log-uniformly in `sizes`."""
    low, high = (math.log(bound) for bound in sizes)
    size = torch.exp(low + (high - low) * torch.rand((*rows.shape[:-1], 1), generator=generator))
    return rows + size * torch.randn(rows.shape, generator=generator)
