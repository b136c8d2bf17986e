"""The common settings of all families over windows: how windows are corrupted."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.model.fitted import TrainedModel


class Windowed(TrainedModel):
    """A family that is trained to reconstruct clean windows from corrupted ones."""

    learning_rate: float = Field(
        5e-3, gt=0, le=1, description="Peak; lower ones do not learn how rows follow each other."
    )
    noise: tuple[float, float] = Field(
        (0.05, 1.0), description="Range of the Gaussian noise, in standard deviations; log-uniform."
    )
    swap: float = Field(
        0.3,
        ge=0,
        le=0.5,
        description="Mean share of features whose whole course is another window's while training; "
        "teaches which courses belong together.",
    )
    replaced: float = Field(
        0.15,
        ge=0,
        le=0.5,
        description="Share of rows of a window that are another window's while training; teaches "
        "which rows follow each other.",
    )
