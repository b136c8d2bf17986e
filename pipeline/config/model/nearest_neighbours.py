"""Settings of the family `nearest_neighbours`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import Fitted


class NearestNeighboursModel(Fitted):
    """Each row against its nearest training rows, for comparison.

    `pipeline/detector/models/nearest_neighbours.py` has the rule.
    """

    family: Literal["nearest_neighbours"] = "nearest_neighbours"
    loss: Literal["mse"] = Field("mse", description="Nearest means least squared distance.")
    rows: int = Field(
        10_000,
        ge=10,
        le=100_000,
        description="Training rows that are stored, sampled at random when there are more. They "
        "lie in the bundle as they are, and each scored row is compared with all of them.",
    )
    neighbours: int = Field(
        1,
        ge=1,
        le=10,
        description="Nearest rows whose mean is the reconstruction; more than 1 where some of the "
        "training rows may be faulty.",
    )
