"""Small denoising autoencoders without a bottleneck, several in one batched computation.

Their input is a corrupted row, their target the clean one. Such a network cannot succeed by copying
its input, however wide it is and however long it trains. Rows are corrupted in two ways: by noise
on many scales, and by swapping some features for those of another row. Noise teaches the normal
range; swapping teaches which features belong together, the relation that most faults break.
Source: Vincent et al., JMLR 2010; noise on many scales after Song & Ermon, NeurIPS 2019; swap noise
after Porto Seguro's winning entry (Jahrer, 2017).
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model import DenoisingModel
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import Family, InputShape
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers
from pipeline.detector.models.noise import with_noise


def build(settings: DenoisingModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble: inputs - width - width - inputs.

    The output is the clean row itself. Adding it to the input, as residual networks do, would pass
    a corrupted feature through by default.
    """
    sizes = [shape.inputs, settings.width, settings.width, shape.inputs]
    return BatchedLayers(settings.members, sizes, generator, last_gain=SMALL_GAIN)


def corrupt(
    settings: DenoisingModel, rows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Corrupted `rows` of shape (members, n, inputs).

    Gaussian noise, its size sampled log-uniformly in `settings.noise` for each row; then a share of
    each row's features, sampled between 0 and twice `settings.swap`, is replaced by those of
    another row of the batch.
    """
    noisy = with_noise(rows, settings.noise, generator)
    share = 2 * settings.swap * torch.rand((*rows.shape[:-1], 1), generator=generator)
    swapped = _bytes(rows.shape, generator) < 256 * share
    # Batches are sampled at random, so the next row is as random a donor as any.
    return torch.where(swapped, rows.roll(1, dims=-2), noisy)


def _bytes(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Uniform whole numbers below 256: a sixth of the work of uniform floats."""
    count = shape.numel()
    words = torch.empty(-(-count // 7), dtype=torch.int64).random_(generator=generator)
    # A word has 63 random bits: the highest of its eight bytes has only seven of them.
    return words.view(torch.uint8).view(-1, 8)[:, :7].reshape(-1)[:count].view(shape)


DENOISING = Family(build=build, learn=by_gradient_descent(corrupt=corrupt))
