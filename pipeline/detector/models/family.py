"""What a model family is. The contract suite in tests/contracts holds each of them to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from pipeline.detector.fitted import Check

OnCheck = Callable[[Check], None]


@dataclass(frozen=True)
class InputShape:
    """Of one model input: `rows` of a window, oldest first, of `features` each.

    Behind them come pseudo-rows, one number a feature: with `derivative` how much each row differs
    from the one before, then one for each statistic of `rolling`.
    """

    rows: int
    features: int
    derivative: bool = False
    rolling: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        """Rows and pseudo-rows."""
        return self.rows + self.derivative * (self.rows - 1) + len(self.rolling)

    @property
    def inputs(self) -> int:
        """Numbers in one model input."""
        return self.blocks * self.features


@dataclass(frozen=True)
class TrainingContext:
    """What a family learns from.

    Attributes:
        train: scaled windows, shape (n, inputs).
        validation: scaled windows of the train block that only decide when to stop.
        age_s: how much older each train window is than the newest, seconds; None without time.
        loss: what to minimise; `loss(output, rows)` is the loss of each cell.
        generator: the only source of randomness.
        on_check: told of each check, so that long fits are never silent.
    """

    train: torch.Tensor
    validation: torch.Tensor
    age_s: torch.Tensor | None
    loss: nn.Module
    generator: torch.Generator
    on_check: OnCheck | None = None


@dataclass(frozen=True)
class FitResult:
    """How learning went; the weights are in the ensemble itself.

    Attributes:
        best_step: the step whose weights were kept; 0 of a closed form.
        history: losses along the way.
        measured: what the family measures of itself, by name (an activity, a divergence).
        remarks: what a reviewer should know, one sentence each: a collapse, a dead layer.
    """

    best_step: int
    history: tuple[Check, ...]
    measured: dict[str, float]
    remarks: tuple[str, ...]


class TrainingOutput(NamedTuple):
    """What an ensemble makes of the rows it is shown, while it trains.

    Attributes:
        output: shape (members, n, inputs).
        penalty: what the family adds to the loss, summed over members; None: nothing.
        counted: cells whose loss counts, of the output's shape; None: all.
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
"""(settings, ensemble, lesson) -> how it went; leaves the ensemble with its best weights."""

Spoil = Callable[[Any, torch.Tensor, torch.Generator], torch.Tensor]
"""(settings, clean rows, random source) -> what training shows instead; same shape."""

Attempt = Callable[[Any, Any, torch.Tensor, torch.Generator | None, float], TrainingOutput]
"""(settings, ensemble, shown rows, random source, progress) -> the answer of a training step.

`progress` runs from 0 to 1 over the fit. Without a random source (a check) nothing is sampled, and
progress is 1: steps are compared by what the fit is to reach.
"""

Report = Callable[[Any, Any, torch.Tensor], tuple[dict[str, float], tuple[str, ...]]]
"""(settings, trained ensemble, scaled rows) -> `measured` and `remarks` of `Learnt`."""


@dataclass(frozen=True)
class Family:
    """A way to reconstruct normal rows.

    Attributes:
        build: the ensemble, untrained.
        learn: how it gets its weights; `descent.by_steps` makes one for what learns by gradients.
        scoring: builds a score of its own from the trained ensemble, in place of section `score`;
            None for all that reconstruct.
        minimum_rows: rows that a window must have for it; `fit` refuses shorter windows.
    """

    build: Build
    learn: Learn
    scoring: Callable[[nn.Module], nn.Module] | None = None
    minimum_rows: int = 1
