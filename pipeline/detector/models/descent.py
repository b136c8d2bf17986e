"""Training by gradient descent: AdamW, warm-up and cosine, early stopping on validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from pipeline.config.family import TrainedModel
from pipeline.detector.models.family import (
    Corrupt,
    FitResult,
    Learn,
    Report,
    TrainingContext,
    TrainingOutput,
    TrainingStep,
)
from pipeline.detector.models.fitted import Check
from pipeline.errors import DataError

_FEWEST_IN_HORIZON = 64

_WARM_UP = 30
_CHECK_EVERY = 25
_CHECKED_ROWS = 1000  # fewer validation rows are corrupted several times, more are thinned out
_GRADIENT_LIMIT = 10.0  # a row at the clip of the scaler must not upset the weights


def batches_of(settings: TrainedModel, training: TrainingContext) -> Callable[[], torch.Tensor]:
    """Sampler of batches, shape (members, rows, inputs), the members of a horizon side by side."""
    pools = _pools(settings, training)
    members = settings.members // len(pools)
    each = [_Batches(pool, len(training.train), members, training.generator) for pool in pools]
    size = min(settings.batch_rows, *(batches.rows for batches in each))

    def sample() -> torch.Tensor:
        return training.train[torch.cat([batches.sample(size) for batches in each])]

    return sample


def _pools(settings: TrainedModel, training: TrainingContext) -> list[torch.Tensor | None]:
    """Indices of the training rows of each horizon; None: all rows.

    Raises:
        DataError: the rows have no time, or a horizon holds too few of them.
    """
    if not settings.horizons:
        return [None]
    if training.age_s is None:
        msg = (
            "model.horizons needs the age of each row, and these have no time column. Name one "
            "under schema.timestamp, or leave model.horizons out."
        )
        raise DataError(msg)
    pools: list[torch.Tensor | None] = []
    for horizon in settings.horizons:
        if horizon == "all":
            pools.append(None)
            continue
        recent = torch.nonzero(training.age_s <= horizon.total_seconds()).flatten()
        if len(recent) < _FEWEST_IN_HORIZON:
            msg = (
                f"The newest {horizon} of the train block hold {len(recent):,} windows; at least "
                f"{_FEWEST_IN_HORIZON} are needed to train on. Lengthen that span in "
                "model.horizons, or take it out."
            )
            raise DataError(msg)
        pools.append(recent)
    return pools


class _Batches:
    """Row indices, shape (members, rows of a batch); each member has its own permutations."""

    def __init__(
        self, pool: torch.Tensor | None, rows: int, members: int, generator: torch.Generator
    ) -> None:
        self.pool, self.members, self.generator = pool, members, generator
        self.rows = self.position = rows if pool is None else len(pool)
        self.order = torch.empty(0)

    def sample(self, size: int) -> torch.Tensor:
        if self.position + size > self.rows:
            self.order = torch.stack(
                [torch.randperm(self.rows, generator=self.generator) for _ in range(self.members)]
            )
            self.position = 0
        chosen = self.order[:, self.position : self.position + size]
        self.position += size
        return chosen if self.pool is None else self.pool[chosen]


def plain_step(
    settings: TrainedModel,
    ensemble: nn.Module,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """The output of the ensemble for the rows it is shown, without any penalty."""
    del settings, generator, progress
    return TrainingOutput(ensemble(shown))


def by_gradient_descent(
    training_step: TrainingStep = plain_step,
    *,
    corrupt: Corrupt | None = None,
    report: Report | None = None,
) -> Learn:
    """Training by gradient descent, for families whose output has a gradient.

    The loss is that of the training context, for training, validation and score alike. Validation
    rows are corrupted once, so that checks differ by the weights only. Members that train on the
    newest rows only (`model.horizons`) are validated on rows of the whole block, like the others.
    """

    def learn(settings: TrainedModel, ensemble: nn.Module, training: TrainingContext) -> FitResult:
        best_step, history = _descend(settings, ensemble, training, training_step, corrupt)
        measured, remarks = report(settings, ensemble, training.validation) if report else ({}, ())
        return FitResult(best_step, history, measured, remarks)

    return learn


def _descend(
    settings: TrainedModel,
    ensemble: nn.Module,
    training: TrainingContext,
    training_step: TrainingStep,
    corrupt: Corrupt | None,
) -> tuple[int, tuple[Check, ...]]:
    optimiser = torch.optim.AdamW(
        ensemble.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate(settings.steps))
    targets = training.validation[:: -(-len(training.validation) // _CHECKED_ROWS)]
    targets = targets.repeat(_CHECKED_ROWS // len(targets), 1)
    checked = corrupt(settings, targets, training.generator) if corrupt else targets
    sample = batches_of(settings, training)
    history: list[Check] = []
    best, best_weights, recent = math.inf, _copy(ensemble), 0.0
    best_step = since_best = 0
    for step in range(1, settings.steps + 1):
        clean = sample()
        shown = corrupt(settings, clean, training.generator) if corrupt else clean
        progress = step / settings.steps
        output = training_step(settings, ensemble, shown, training.generator, progress)
        recent += _improve(ensemble, optimiser, output, clean, training.loss)
        schedule.step()
        if step % _CHECK_EVERY and step != settings.steps:
            continue
        steps = step - (history[-1].step if history else 0)
        with torch.no_grad():
            output = training_step(settings, ensemble, checked, None, 1.0)
            found = float(_mean_loss(output, targets, training.loss) + _penalty(output))
        check = Check(step, recent / steps, found)
        history.append(check)
        recent = 0.0
        if training.on_check is not None:
            training.on_check(check)
        if check.validation < best:
            best, best_step, best_weights, since_best = check.validation, step, _copy(ensemble), 0
        else:
            since_best += 1
        if since_best >= settings.patience:
            break
    ensemble.load_state_dict(best_weights)
    return best_step, tuple(history)


def _improve(
    ensemble: nn.Module,
    optimiser: torch.optim.Optimizer,
    output: TrainingOutput,
    clean: torch.Tensor,
    loss: nn.Module,
) -> float:
    """One step; returns the mean loss of a member, without penalties."""
    mean = _mean_loss(output, clean, loss)
    # Summed over members, so that each gets the gradient that it would get alone.
    total = (mean + _penalty(output)) * len(clean)
    optimiser.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]  # torch ships it untyped
    nn.utils.clip_grad_norm_(ensemble.parameters(), _GRADIENT_LIMIT)
    optimiser.step()
    return mean.item()


def _penalty(output: TrainingOutput) -> torch.Tensor | float:
    """The family's penalty, in the mean over members."""
    return 0.0 if output.penalty is None else output.penalty / len(output.output)


def _mean_loss(output: TrainingOutput, clean: torch.Tensor, loss: nn.Module) -> torch.Tensor:
    """Mean over members and the cells that count; missing values (NaN) never count."""
    if output.counted is None:
        cells: torch.Tensor = loss(output.output, clean)
        return cells.mean()
    # A missing value has no loss, but NaN times zero would still be NaN.
    cells = loss(output.output, torch.where(torch.isnan(clean), 0.0, clean))
    counted = output.counted.expand_as(cells)
    return (cells * counted).sum() / counted.sum().clamp(min=1)


def _rate(steps: int) -> Callable[[int], float]:
    """Share of the peak learning rate at a step: linear warm-up, then cosine to zero."""
    warm_up = min(_WARM_UP, max(1, steps // 10))

    def share(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))

    return share


def _copy(ensemble: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in ensemble.state_dict().items()}
