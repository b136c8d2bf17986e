"""Section `score`: how what a network makes of a row becomes one number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section


class ReconstructionScore(Section):
    """How far a row is from what the network makes of it: for rows that have a time.

    It carries over to a season that was not trained on; nearness to training rows does not.
    """

    kind: Literal["reconstruction"] = "reconstruction"
    error: Literal["plain", "standardised", "mahalanobis"] = Field(
        "standardised",
        description="plain: the mean loss; standardised: each feature is measured in its own usual "
        "error, so that one which is reconstructed well can alarm by itself; mahalanobis: the "
        "residuals are measured together, in what they usually do together (mse only).",
    )
    cap: float | None = Field(
        None, gt=0, description="Soft limit of one feature's error, so that none drowns the rest."
    )


class MemoryScore(Section):
    """Distance to the nearest remembered normal rows: for rows without time, in any order."""

    kind: Literal["memory"] = "memory"
    rows: int = Field(
        2000,
        ge=10,
        le=100_000,
        description="Normal rows that the bundle remembers. They are stored in it as they are.",
    )
    neighbours: int = Field(
        2, ge=1, le=50, description="Nearest rows whose distances are averaged."
    )
    residual: float = Field(
        0.3, ge=0, description="Weight of the network's residual beside the row itself; 0: none."
    )


Score = Annotated[ReconstructionScore | MemoryScore, Field(discriminator="kind")]
