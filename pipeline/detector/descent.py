"""Learning by gradients: AdamW, warm-up and cosine, early stopping on rows set aside inside."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from pipeline.config.model import TrainedModel
from pipeline.detector.batches import batches_of
from pipeline.detector.fitted import Check
from pipeline.detector.models.family import (
    Attempt,
    FitResult,
    Learn,
    Report,
    Spoil,
    TrainingContext,
    TrainingOutput,
)

_WARM_UP = 30
_CHECK_EVERY = 25
_EXAM_ROWS = 1000  # fewer validation rows are spoilt several times, more are thinned out
_GRADIENT_LIMIT = 10.0  # a row at the clip of the scaler must not throw the weights


def plainly(
    settings: TrainedModel,
    ensemble: nn.Module,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """What the ensemble makes of the rows it is shown, without any penalty."""
    del settings, generator, progress
    return TrainingOutput(ensemble(shown))


def by_steps(
    attempt: Attempt = plainly, *, spoil: Spoil | None = None, report: Report | None = None
) -> Learn:
    """How a family learns whose answers have a gradient.

    The loss is that of the lesson, for training, validation and score alike. Validation rows are
    spoilt once, so that checks differ by the weights only. Members that learn from the newest rows
    only (`model.horizons`) are validated on those of the whole block, like the others.
    """

    def learn(settings: TrainedModel, ensemble: nn.Module, lesson: TrainingContext) -> FitResult:
        best_step, history = _descend(settings, ensemble, lesson, attempt, spoil)
        measured, remarks = report(settings, ensemble, lesson.validation) if report else ({}, ())
        return FitResult(best_step, history, measured, remarks)

    return learn


def _descend(
    settings: TrainedModel,
    ensemble: nn.Module,
    lesson: TrainingContext,
    attempt: Attempt,
    spoil: Spoil | None,
) -> tuple[int, tuple[Check, ...]]:
    optimiser = torch.optim.AdamW(
        ensemble.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate(settings.steps))
    answers = lesson.validation[:: -(-len(lesson.validation) // _EXAM_ROWS)]
    answers = answers.repeat(_EXAM_ROWS // len(answers), 1)
    exam = spoil(settings, answers, lesson.generator) if spoil else answers
    draw = batches_of(settings, lesson)
    history: list[Check] = []
    best, best_weights, recent = math.inf, _copy(ensemble), 0.0
    best_step = since_best = 0
    for step in range(1, settings.steps + 1):
        clean = draw()
        shown = spoil(settings, clean, lesson.generator) if spoil else clean
        progress = step / settings.steps
        answer = attempt(settings, ensemble, shown, lesson.generator, progress)
        recent += _improve(ensemble, optimiser, answer, clean, lesson.loss)
        schedule.step()
        if step % _CHECK_EVERY and step != settings.steps:
            continue
        taken = step - (history[-1].step if history else 0)
        with torch.no_grad():
            answer = attempt(settings, ensemble, exam, None, 1.0)
            found = float(_mean_loss(answer, answers, lesson.loss) + _penalty(answer))
        check = Check(step, recent / taken, found)
        history.append(check)
        recent = 0.0
        if lesson.on_check is not None:
            lesson.on_check(check)
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
    answer: TrainingOutput,
    clean: torch.Tensor,
    loss: nn.Module,
) -> float:
    """One step; returns the loss of a member, in the mean, without penalties."""
    mean = _mean_loss(answer, clean, loss)
    # Summed over members: each gets the gradient that it would get alone.
    total = (mean + _penalty(answer)) * len(clean)
    optimiser.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]  # torch ships it untyped
    nn.utils.clip_grad_norm_(ensemble.parameters(), _GRADIENT_LIMIT)
    optimiser.step()
    return mean.item()


def _penalty(answer: TrainingOutput) -> torch.Tensor | float:
    """What the family adds, in the mean over members."""
    return 0.0 if answer.penalty is None else answer.penalty / len(answer.output)


def _mean_loss(answer: TrainingOutput, clean: torch.Tensor, loss: nn.Module) -> torch.Tensor:
    """Mean over members and the cells that count; cells that are absent (NaN) never count."""
    if answer.counted is None:
        cells: torch.Tensor = loss(answer.output, clean)
        return cells.mean()
    # What is absent has no loss, but NaN times zero would still be NaN.
    cells = loss(answer.output, torch.where(torch.isnan(clean), 0.0, clean))
    counted = answer.counted.expand_as(cells)
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
