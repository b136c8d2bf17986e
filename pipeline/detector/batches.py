"""Which rows each member of an ensemble learns from, step by step."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline.config.model import TrainedModel
from pipeline.detector.models.family import TrainingContext
from pipeline.errors import DataError

_FEWEST_IN_HORIZON = 64


def batches_of(settings: TrainedModel, lesson: TrainingContext) -> Callable[[], torch.Tensor]:
    """Draws batches of shape (members, rows, inputs), the members of a horizon side by side."""
    pools = _pools(settings, lesson)
    members = settings.members // len(pools)
    each = [_Batches(pool, len(lesson.train), members, lesson.generator) for pool in pools]
    size = min(settings.batch_rows, *(batches.rows for batches in each))

    def draw() -> torch.Tensor:
        return lesson.train[torch.cat([batches.draw(size) for batches in each])]

    return draw


def _pools(settings: TrainedModel, lesson: TrainingContext) -> list[torch.Tensor | None]:
    """The rows of each horizon, as places in the lesson; None: all of them.

    Raises:
        DataError: the rows have no time, or a horizon holds too few of them.
    """
    if not settings.horizons:
        return [None]
    if lesson.age_s is None:
        msg = (
            "model.horizons asks how old rows are, and these have no time column. Name one under "
            "schema.timestamp, or leave model.horizons out."
        )
        raise DataError(msg)
    pools: list[torch.Tensor | None] = []
    for horizon in settings.horizons:
        if horizon == "all":
            pools.append(None)
            continue
        recent = torch.nonzero(lesson.age_s <= horizon.total_seconds()).flatten()
        if len(recent) < _FEWEST_IN_HORIZON:
            msg = (
                f"The newest {horizon} of the train block hold {len(recent):,} windows; at least "
                f"{_FEWEST_IN_HORIZON} are needed to learn from. Lengthen that span in "
                "model.horizons, or take it out."
            )
            raise DataError(msg)
        pools.append(recent)
    return pools


class _Batches:
    """Places of rows, shape (members, rows of a batch); each member has its own permutations."""

    def __init__(
        self, pool: torch.Tensor | None, rows: int, members: int, generator: torch.Generator
    ) -> None:
        self.pool, self.members, self.generator = pool, members, generator
        self.rows = self.position = rows if pool is None else len(pool)
        self.order = torch.empty(0)

    def draw(self, size: int) -> torch.Tensor:
        if self.position + size > self.rows:
            self.order = torch.stack(
                [torch.randperm(self.rows, generator=self.generator) for _ in range(self.members)]
            )
            self.position = 0
        chosen = self.order[:, self.position : self.position + size]
        self.position += size
        return chosen if self.pool is None else self.pool[chosen]
