"""The training loop: AdamW, warm-up and cosine, early stopping on rows set aside inside."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from pipeline.config.fitting import Model
from pipeline.detector.fitted import Check
from pipeline.detector.models.family import Family

_WARM_UP = 30
_CHECK_EVERY = 25
_EXAM_ROWS = 1000  # fewer validation rows are corrupted several times, more are thinned out
_GRADIENT_LIMIT = 10.0  # a row at the clip of the scaler must not throw the weights

OnCheck = Callable[[Check], None]


@dataclass(frozen=True)
class Descent:
    """What the loop came to: the best step and the losses along the way."""

    best_step: int
    history: tuple[Check, ...]


def descend(
    ensemble: nn.Module,
    family: Family,
    settings: Model,
    train: torch.Tensor,
    validation: torch.Tensor,
    generator: torch.Generator,
    on_check: OnCheck | None = None,
) -> Descent:
    """Train `ensemble` in place and leave it with its best weights.

    The loss is the mean squared error against the clean rows, for training, validation and score
    alike. Validation rows are corrupted once, so that its checks differ by the weights only.
    """
    optimiser = torch.optim.AdamW(
        ensemble.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate(settings.steps))
    answers = validation[:: -(-len(validation) // _EXAM_ROWS)]
    answers = answers.repeat(_EXAM_ROWS // len(answers), 1)
    exam = family.corrupt(settings, answers, generator)
    batches = _Batches(train, settings.members, settings.batch_rows, generator)
    history: list[Check] = []
    best, best_weights, recent = math.inf, _copy(ensemble), 0.0
    best_step = since_best = 0
    for step in range(1, settings.steps + 1):
        recent += _step(ensemble, family, settings, batches.draw(), optimiser, generator)
        schedule.step()
        if step % _CHECK_EVERY and step != settings.steps:
            continue
        taken = step - (history[-1].step if history else 0)
        check = Check(step, recent / taken, _loss(ensemble, exam, answers))
        history.append(check)
        recent = 0.0
        if on_check is not None:
            on_check(check)
        if check.validation < best:
            best, best_step, best_weights, since_best = check.validation, step, _copy(ensemble), 0
        else:
            since_best += 1
        if since_best >= settings.patience:
            break
    ensemble.load_state_dict(best_weights)
    return Descent(best_step, tuple(history))


class _Batches:
    """Batches of shape (members, rows, inputs); each member goes through its own permutations."""

    def __init__(
        self, rows: torch.Tensor, members: int, size: int, generator: torch.Generator
    ) -> None:
        self.rows, self.members, self.generator = rows, members, generator
        self.size = min(size, len(rows))
        self.position = len(rows)
        self.order = torch.empty(0)

    def draw(self) -> torch.Tensor:
        if self.position + self.size > len(self.rows):
            self.order = torch.stack(
                [
                    torch.randperm(len(self.rows), generator=self.generator)
                    for _ in range(self.members)
                ]
            )
            self.position = 0
        chosen = self.order[:, self.position : self.position + self.size]
        self.position += self.size
        return self.rows[chosen]


def _step(
    ensemble: nn.Module,
    family: Family,
    settings: Model,
    clean: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> float:
    """One step; returns the loss of a member, in the mean."""
    noisy = family.corrupt(settings, clean, generator)
    made: torch.Tensor = ensemble(noisy)
    # Summed over members: each gets the gradient that it would get alone.
    loss = nn.functional.mse_loss(made, clean) * len(clean)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch ships it untyped
    nn.utils.clip_grad_norm_(ensemble.parameters(), _GRADIENT_LIMIT)
    optimiser.step()
    return loss.item() / len(clean)


@torch.no_grad()
def _loss(ensemble: nn.Module, noisy: torch.Tensor, clean: torch.Tensor) -> float:
    made: torch.Tensor = ensemble(noisy)
    return float(((made - clean) ** 2).mean())


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
