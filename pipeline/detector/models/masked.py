"""Masked autoencoders: some features of a row are hidden, and the network reconstructs them.

A hidden feature enters as the neutral value together with an indicator, so that "missing" and
"exactly average" are two different inputs. A missing value of a row has the same indicator: the
network always knows which values are not measured.

A network that sees a feature would learn to copy it. So a row is scored in several passes: the
features of each member are divided at random into `passes` groups, each pass hides one group, and
the reconstruction of a feature is that of the pass that hid it, made of the other features alone.
Source: masking noise after Vincent et al., JMLR 2010; indicators of hidden values and a loss on
them after He et al., CVPR 2022; passes that hide each part once after Zavrtanik et al.,
"Reconstruction by inpainting for visual anomaly detection", Pattern Recognition 2021.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn

from pipeline.config.model import MaskedModel
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import Family, InputShape, TrainingOutput

_LAST_GAIN = 0.1  # a small one: the output of an untrained network is the mean row
_WHOLE = 0.5  # share of rows that hide a feature in all rows of a window, as the next shows it


class MaskedEnsemble(nn.Module):
    """(inputs, indicators) - width - width - inputs with SiLU.

    Rows are scaled; a missing value is NaN.

    Attributes:
        hands: the features that a pass hides, shape (passes, members, 1, inputs), 0 or 1; each
            feature is hidden in exactly one pass, in all rows of a window at once.
    """

    hands: torch.Tensor

    def __init__(
        self, settings: MaskedModel, shape: InputShape, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.features, self.blocks = shape.features, shape.blocks
        self.leaks = shape.blocks > shape.rows
        sizes = [2 * shape.inputs, settings.width, settings.width, shape.inputs]
        # He et al., ICCV 2015; of value and indicator at most one is not 0, hence half the fan-in.
        fans = [shape.inputs, settings.width, settings.width]
        gains = [1.0, 1.0, _LAST_GAIN]
        members = settings.members
        self.weights = nn.ParameterList(
            torch.randn(members, n_in, n_out, generator=generator) * (gain * math.sqrt(2 / fan))
            for n_in, n_out, gain, fan in zip(sizes, sizes[1:], gains, fans, strict=False)
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, n_out) for n_out in sizes[1:])
        self.register_buffer("hands", _hidden_groups(settings, shape, generator))

    def one_pass(self, rows: torch.Tensor) -> torch.Tensor:
        """Output of each member for rows as they are; shape (members, n, inputs)."""
        return self._layers(_marked(rows), self.weights[0], self.biases[0], copies=1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Each feature reconstructed from the others, shape (members, n, inputs)."""
        passes, members = self.hands.shape[:2]
        # What a pass hides is known beforehand: its rows of the first matrix are removed, its
        # indicators are added to the bias, and all passes of all members are one computation.
        seen = torch.cat([1 - self.hands, 1 - self.hands], dim=-1).transpose(2, 3)
        weight = (self.weights[0] * seen).flatten(0, 1)
        indicated = torch.matmul(self.hands, self.weights[0][:, self.hands.shape[-1] :])
        output = self._layers(
            _marked(rows), weight, (self.biases[0] + indicated).flatten(0, 1), copies=passes
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
    """Rows with neutral missing cells, followed by the indicators: 1 for each missing cell."""
    absent = torch.isnan(rows)
    neutral = torch.where(absent, torch.zeros_like(rows), rows)
    return torch.cat([neutral, absent.to(rows.dtype)], dim=-1)


def _hidden_groups(
    settings: MaskedModel, shape: InputShape, generator: torch.Generator
) -> torch.Tensor:
    """Random groups of each member's features, equal in size but for one feature."""
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


def training_step(
    settings: MaskedModel,
    ensemble: nn.Module,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """Reconstruction of partly hidden rows; in a check, as in scoring.

    Hidden values count fully, visible ones by `settings.visible`, missing ones not at all.
    """
    del progress
    masked = cast("MaskedEnsemble", ensemble)
    if generator is None:
        return TrainingOutput(masked(shown), counted=~torch.isnan(shown))
    hidden = hide(settings, masked, shown, generator)
    output = masked.one_pass(shown.masked_fill(hidden, torch.nan))
    weight = hidden + settings.visible * ~hidden
    return TrainingOutput(output, counted=weight * ~torch.isnan(shown))


def hide(
    settings: MaskedModel, ensemble: MaskedEnsemble, rows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Mask of the cells of `rows`, shape (members, n, inputs), that are hidden.

    The hidden share of each row is sampled uniformly in `settings.hidden`. In windows, half of the
    rows hide whole features, as scoring does, and half hide single cells, as gaps do; only whole
    ones where a window also holds differences or statistics, which would reveal a single cell.
    """
    low, high = settings.hidden
    one = (*rows.shape[:-1], 1)
    share = low + (high - low) * torch.rand(one, generator=generator)
    uniform = torch.rand((*rows.shape[:-1], ensemble.features), generator=generator)
    whole = (uniform < share).repeat(1, 1, ensemble.blocks)
    if ensemble.blocks == 1 or ensemble.leaks:
        return whole
    single = torch.rand(rows.shape, generator=generator) < share
    return torch.where(torch.rand(one, generator=generator) < _WHOLE, whole, single)


MASKED = Family(build=build, learn=by_gradient_descent(training_step))
