"""The interface of a model family, which the contract suite in tests/contracts verifies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from pipeline.detector.models.fitted import Check

OnCheck = Callable[[Check], None]


@dataclass(frozen=True)
class InputShape:
    """Shape of one model input: `rows` of a window, oldest first, of `features` each.

    They are followed by pseudo-rows, one number a feature: with `derivative` the difference of each
    row from the one before, then one for each statistic of `rolling`.
    """

    rows: int
    features: int
    derivative: bool = False
    rolling: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        """Number of rows and pseudo-rows."""
        return self.rows + self.derivative * (self.rows - 1) + len(self.rolling)

    @property
    def inputs(self) -> int:
        """Number of values in one model input."""
        return self.blocks * self.features


@dataclass(frozen=True)
class TrainingContext:
    """The input of a training.

    Attributes:
        train: scaled windows, shape (n, inputs).
        validation: scaled windows of the train block that only decide when to stop.
        age_s: age of each train window, relative to the newest, seconds; None without time.
        loss: the loss to minimise; `loss(output, rows)` is the loss of each cell.
        generator: the only source of randomness.
        on_check: called at each check, so that long fits report progress.
    """

    train: torch.Tensor
    validation: torch.Tensor
    age_s: torch.Tensor | None
    loss: nn.Module
    generator: torch.Generator
    on_check: OnCheck | None = None


@dataclass(frozen=True)
class FitResult:
    """The result of a training; the weights are in the ensemble itself.

    Attributes:
        best_step: the step whose weights were kept; 0 for a closed form.
        history: losses at each check.
        measured: diagnostics of the family, by name (an activity, a divergence).
        remarks: notes for the reviewer, one sentence each: a collapse, a dead layer.
    """

    best_step: int
    history: tuple[Check, ...]
    measured: dict[str, float]
    remarks: tuple[str, ...]


class TrainingOutput(NamedTuple):
    """Output of an ensemble during training.

    Attributes:
        output: shape (members, n, inputs).
        penalty: added to the loss by the family, summed over members; None: nothing.
        counted: weight of each cell in the loss, of the output's shape; None: all count.
    """

    output: torch.Tensor
    penalty: torch.Tensor | None = None
    counted: torch.Tensor | None = None


Build = Callable[[Any, InputShape, torch.Generator], nn.Module]
"""(settings, shape, random source) -> an ensemble, untrained.

Its `forward` takes scaled rows of shape (n, inputs), or (members, n, inputs) to give each member
its own, and returns outputs of shape (members, n, inputs), without any randomness: it is exported.
Buffers and parameters have the shapes of the trained ensemble, so that weights can be loaded.
"""

Learn = Callable[[Any, nn.Module, TrainingContext], FitResult]
"""(settings, ensemble, training) -> result; the ensemble ends with its best weights."""

Corrupt = Callable[[Any, torch.Tensor, torch.Generator], torch.Tensor]
"""(settings, clean rows, random source) -> corrupted rows; same shape."""

TrainingStep = Callable[[Any, Any, torch.Tensor, torch.Generator | None, float], TrainingOutput]
"""(settings, ensemble, shown rows, random source, progress) -> the output of a training step.

`progress` runs from 0 to 1 over the fit. Without a random source (a check) nothing is sampled, and
progress is 1: checks are compared by the objective at the end of the fit.
"""

Report = Callable[[Any, Any, torch.Tensor], tuple[dict[str, float], tuple[str, ...]]]
"""(settings, trained ensemble, scaled rows) -> `measured` and `remarks` of `FitResult`."""


@dataclass(frozen=True)
class Family:
    """A model family: a way to reconstruct normal rows.

    Attributes:
        build: creates the untrained ensemble.
        learn: trains it; `descent.by_gradient_descent` makes one that uses gradient descent.
        scoring: builds the family's own score from the trained ensemble, in place of section
            `score`; None for families that reconstruct.
        minimum_rows: least number of rows in a window; `fit` refuses shorter windows.
    """

    build: Build
    learn: Learn
    scoring: Callable[[nn.Module], nn.Module] | None = None
    minimum_rows: int = 1
