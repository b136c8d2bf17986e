"""The training batches of each member of an ensemble."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline.config.family import TrainedModel
from pipeline.detector.models.family import TrainingContext
from pipeline.errors import DataError

_FEWEST_IN_HORIZON = 64


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
