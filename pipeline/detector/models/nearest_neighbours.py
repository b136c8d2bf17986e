"""Nearest neighbours: the reconstruction of a row is the mean of its nearest normal rows.

With one neighbour the squared error is the squared distance to it, the baseline that benchmarks
should report and rarely do. The bundle contains the training rows: whoever has it has them.
Distances to training rows do not generalise to a season that was not trained on.
Source: Ramaswamy, Rastogi & Shim, SIGMOD 2000.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pipeline.config.model import NearestNeighboursModel
from pipeline.detector.models.family import Family, FitResult, InputShape, TrainingContext
from pipeline.detector.models.fitted import Check

_CHUNK = 1024  # rows compared with all stored ones at a time, during training


class Neighbourhood(nn.Module):
    """Stored rows, and the search for the nearest of them.

    Attributes:
        stored: scaled normal rows, shape (m, inputs).
    """

    stored: torch.Tensor

    def __init__(self, inputs: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("stored", torch.zeros(0, inputs))
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]  # torch ships it untyped

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Means of the nearest stored rows, shape (1, n, inputs), for rows (n, inputs)."""
        # |r|^2 - 2 x r: the squared distance except for |x|^2, the same for all r. Rounding can
        # swap two rows that are equally near; the error is computed from the row itself.
        apart = (self.stored**2).sum(dim=1) - 2 * torch.matmul(rows, self.stored.T)
        wanted = min(self.neighbours, len(self.stored))
        nearest = torch.topk(apart, wanted, dim=-1, largest=False).indices
        made = self.stored[nearest].mean(dim=-2)
        return made if rows.dim() > 2 else made.unsqueeze(0)  # noqa: PLR2004 - members of their own


def _make_room(
    module: Neighbourhood, weights: dict[str, torch.Tensor], prefix: str, *_: Any
) -> None:
    """Resize the buffer: only the saved weights show how many rows are stored."""
    module.stored = torch.empty_like(weights[f"{prefix}stored"])


def build(
    settings: NearestNeighboursModel, shape: InputShape, generator: torch.Generator
) -> nn.Module:
    """A neighbourhood without rows."""
    del generator
    return Neighbourhood(shape.inputs, settings.neighbours)


@torch.no_grad()
def learn(
    settings: NearestNeighboursModel, ensemble: nn.Module, training: TrainingContext
) -> FitResult:
    """Store the train windows, or a random sample of `settings.rows` of them."""
    if not isinstance(ensemble, Neighbourhood):
        raise TypeError(type(ensemble))
    train = training.train
    if len(train) > settings.rows:
        train = train[_sampled(len(train), settings.rows, training.generator)]
    ensemble.stored = train.clone()
    held = torch.cat(
        [
            training.loss(ensemble(rows), rows).mean(dim=(0, 2))
            for rows in torch.split(training.validation, _CHUNK)
        ]
    )
    check = Check(0, 0.0, float(held.mean()))
    if training.on_check is not None:
        training.on_check(check)
    return FitResult(
        0, (check,), {"stored_rows": float(len(train))}, _remarks(settings, len(train))
    )


def _sampled(rows: int, wanted: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(rows, generator=generator)[:wanted].sort().values


def _remarks(settings: NearestNeighboursModel, stored: int) -> tuple[str, ...]:
    remarks = [
        f"The bundle holds {stored:,} training rows as they were measured; keep it as safe as them."
    ]
    if stored < settings.neighbours:
        remarks.append(
            f"Only {stored:,} rows could be stored, fewer than the {settings.neighbours} "
            "neighbours asked for: the reconstruction is their mean, whatever the row."
        )
    return tuple(remarks)


NEAREST_NEIGHBOURS = Family(build=build, learn=learn)
