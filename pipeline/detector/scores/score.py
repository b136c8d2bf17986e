"""The interface of a kind of score: fitted on held-out training rows, exported with the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

Parts = Mapping[str, torch.Tensor]
"""Buffers of a fitted score, by name; it is restored from them."""


@dataclass(frozen=True)
class ScoreTrainingData:
    """The data that a score is fitted on: rows of the train block alone.

    Attributes:
        train: scaled windows that the network was trained on, shape (n, inputs).
        held: scaled windows of the train block that were held out, shape (m, inputs).
        output: output of the network for `held`, shape (members, m, inputs).
        reconstruct: scaled windows to the mean reconstruction of the members, same shape.
        loss: the loss of the training.
        judged: true for each feature that counts.
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
    """Diagnostics of a fitted score, which are added to `measured` and `remarks` of the facts."""

    measured: dict[str, float]
    remarks: tuple[str, ...]


def _nothing(scoring: nn.Module) -> ScoreReport:
    del scoring
    return ScoreReport({}, ())


@dataclass(frozen=True)
class Score:
    """A kind of score.

    Its module is called with scaled windows (n, inputs), the network's output (members, n, inputs)
    and the reconstructions that it means, of the same shape. It returns the contribution of each
    feature to the score, (n, d), not negative: their sum is the score.

    Attributes:
        fit: (settings, data) -> the fitted module.
        restore: (settings, loss, buffers) -> the module as it was fitted.
        report: (module) -> diagnostics for the reviewer.
    """

    fit: Callable[[Any, ScoreTrainingData], nn.Module]
    restore: Callable[[Any, nn.Module, Parts], nn.Module]
    report: Callable[[nn.Module], ScoreReport] = _nothing
