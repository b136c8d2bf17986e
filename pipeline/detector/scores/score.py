"""What a kind of score is: fitted on held-out training rows, exported with the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

Parts = Mapping[str, torch.Tensor]
"""Buffers of a fitted score, by name: what it is restored from."""


@dataclass(frozen=True)
class ScoreTrainingData:
    """What a score may be fitted on: rows of the train block alone.

    Attributes:
        train: scaled windows that the network learnt from, shape (n, inputs).
        held: scaled windows of the train block that it did not learn from, shape (m, inputs).
        output: what the network says to `held`, shape (members, m, inputs).
        reconstruct: scaled windows to the mean reconstruction of the members, same shape.
        loss: of the training.
        judged: for each feature, whether it counts.
        generator: the only source of randomness.
    """

    train: torch.Tensor
    held: torch.Tensor
    output: torch.Tensor
    reconstruct: Callable[[torch.Tensor], torch.Tensor]
    loss: nn.Module
    judged: Sequence[bool]
    generator: torch.Generator


class ScoreReport(NamedTuple):
    """What a fitted score tells of itself: joins `measured` and `remarks` of the facts."""

    measured: dict[str, float]
    remarks: tuple[str, ...]


def _nothing(scoring: nn.Module) -> ScoreReport:
    del scoring
    return ScoreReport({}, ())


@dataclass(frozen=True)
class Score:
    """A kind of score.

    Its module is called with scaled windows (n, inputs), the network's output (members, n, inputs)
    and the reconstructions that it means, of the same shape. It answers what each feature adds to
    the score, (n, d), not negative: their sum is the score.

    Attributes:
        fit: (settings, evidence) -> the fitted module.
        restore: (settings, loss, buffers) -> the module as it was fitted.
        report: (module) -> what a reviewer should know of it.
    """

    fit: Callable[[Any, ScoreTrainingData], nn.Module]
    restore: Callable[[Any, nn.Module, Parts], nn.Module]
    report: Callable[[nn.Module], ScoreReport] = _nothing
