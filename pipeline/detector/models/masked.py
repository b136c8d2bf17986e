"""Autoencoders that are shown rows with hidden features and asked for what is hidden.

A hidden feature enters as the neutral value together with a mark that says so, hence "not there"
and "exactly average" are two different inputs. A feature that a row lacks is marked the same way:
nothing is ever filled in unseen.

A network that sees a feature would learn to copy it. So a row is scored in several looks: each
member has its features dealt into `passes` hands, each look hides one hand, and a feature's
reconstruction is the one of the look that hid it. It is made of the other features alone.
Source: masking noise after Vincent et al., JMLR 2010; marks for what is hidden and a loss that is
about it after He et al., CVPR 2022; looks that hide each part once after Zavrtanik et al.,
"Reconstruction by inpainting for visual anomaly detection", Pattern Recognition 2021.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn

from pipeline.config.model.masked import MaskedModel
from pipeline.detector.descent import by_steps
from pipeline.detector.models.family import Family, InputShape, TrainingOutput

_TIMID = 0.1  # the last layer starts small: an untrained network answers with the mean row
_WHOLE = 0.5  # of the rows hide features for the whole window, where the next row gives none away


class MaskedEnsemble(nn.Module):
    """(inputs, marks) - width - width - inputs with SiLU.

    Rows are scaled; a cell that is not there is NaN.

    Attributes:
        hands: which features a look hides, shape (passes, members, 1, inputs), 0 or 1; each
            feature is hidden in exactly one look, in all rows of a window at once.
    """

    hands: torch.Tensor

    def __init__(
        self, settings: MaskedModel, shape: InputShape, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.features, self.blocks = shape.features, shape.blocks
        self.leaks = shape.blocks > shape.rows
        sizes = [2 * shape.inputs, settings.width, settings.width, shape.inputs]
        # He et al., ICCV 2015; of value and mark at most one speaks, hence half the fan-in.
        fans = [shape.inputs, settings.width, settings.width]
        gains = [1.0, 1.0, _TIMID]
        members = settings.members
        self.weights = nn.ParameterList(
            torch.randn(members, n_in, n_out, generator=generator) * (gain * math.sqrt(2 / fan))
            for n_in, n_out, gain, fan in zip(sizes, sizes[1:], gains, fans, strict=False)
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, n_out) for n_out in sizes[1:])
        self.register_buffer("hands", _dealt(settings, shape, generator))

    def look(self, rows: torch.Tensor) -> torch.Tensor:
        """What each member makes of rows as they are; shape (members, n, inputs)."""
        return self._layers(_marked(rows), self.weights[0], self.biases[0], copies=1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Each feature as guessed from the others, shape (members, n, inputs)."""
        passes, members = self.hands.shape[:2]
        # What a look hides is known beforehand: its rows of the first matrix go, its marks join
        # the bias, and all looks of all members are one batched computation.
        seen = torch.cat([1 - self.hands, 1 - self.hands], dim=-1).transpose(2, 3)
        weight = (self.weights[0] * seen).flatten(0, 1)
        told = torch.matmul(self.hands, self.weights[0][:, self.hands.shape[-1] :])
        output = self._layers(
            _marked(rows), weight, (self.biases[0] + told).flatten(0, 1), copies=passes
        )
        inputs = output.shape[-1]
        return (output.reshape(passes, members, -1, inputs) * self.hands).sum(dim=0)

    def _layers(
        self, marked: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, *, copies: int
    ) -> torch.Tensor:
        if copies > 1 and marked.dim() == 3:  # noqa: PLR2004 - each member has rows of its own
            marked = marked.repeat(copies, 1, 1)
        hidden = torch.matmul(marked, weight) + bias
        for deeper, shift in zip(self.weights[1:], self.biases[1:], strict=True):
            hidden = nn.functional.silu(hidden)
            hidden = torch.matmul(hidden, deeper.repeat(copies, 1, 1)) + shift.repeat(copies, 1, 1)
        return hidden


def _marked(rows: torch.Tensor) -> torch.Tensor:
    """Rows whose absent cells are neutral, and behind them a 1 for each absent cell."""
    absent = torch.isnan(rows)
    neutral = torch.where(absent, torch.zeros_like(rows), rows)
    return torch.cat([neutral, absent.to(rows.dtype)], dim=-1)


def _dealt(settings: MaskedModel, shape: InputShape, generator: torch.Generator) -> torch.Tensor:
    """The features of each member at random in hands of equal size, one more or less."""
    passes = min(settings.passes, shape.features)
    hands = torch.zeros(passes, settings.members, 1, shape.inputs)
    for member in range(settings.members):
        place = torch.randperm(shape.features, generator=generator) % passes
        for number in range(passes):
            hands[number, member, 0] = (place == number).repeat(shape.blocks)
    return hands


def build(settings: MaskedModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return MaskedEnsemble(settings, shape, generator)


def attempt(
    settings: MaskedModel,
    ensemble: nn.Module,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """A guess at rows of which a part is hidden. A check looks as scoring does.

    What is hidden counts fully, what is visible by `settings.visible`, what is absent not at all.
    """
    del progress
    masked = cast("MaskedEnsemble", ensemble)
    if generator is None:
        return TrainingOutput(masked(shown), counted=~torch.isnan(shown))
    hidden = hide(settings, masked, shown, generator)
    output = masked.look(shown.masked_fill(hidden, torch.nan))
    weight = hidden + settings.visible * ~hidden
    return TrainingOutput(output, counted=weight * ~torch.isnan(shown))


def hide(
    settings: MaskedModel, ensemble: MaskedEnsemble, rows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Which cells of `rows`, shape (members, n, inputs), are hidden.

    Each row draws its share uniformly in `settings.hidden`. In windows, half of the rows hide
    whole features, as scoring does, and half hide single cells, as gaps do; only whole ones where
    a window also holds differences or statistics, which would give a single cell away.
    """
    low, high = settings.hidden
    one = (*rows.shape[:-1], 1)
    share = low + (high - low) * torch.rand(one, generator=generator)
    drawn = torch.rand((*rows.shape[:-1], ensemble.features), generator=generator)
    whole = (drawn < share).repeat(1, 1, ensemble.blocks)
    if ensemble.blocks == 1 or ensemble.leaks:
        return whole
    single = torch.rand(rows.shape, generator=generator) < share
    return torch.where(torch.rand(one, generator=generator) < _WHOLE, whole, single)


MASKED = Family(build=build, learn=by_steps(attempt))
