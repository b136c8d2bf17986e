"""The settings that families of models share."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Duration, Section

Loss = Literal["mse", "huber", "bce", "poisson"]


class Fitted(Section):
    """Settings of every family.

    Attributes:
        takes_missing: whether it accepts rows with missing values.
    """

    takes_missing: ClassVar[bool] = False

    seed: int = Field(
        42, ge=0, lt=2**63, description="Same seed, same rows, same machine: same weights."
    )
    loss: Loss = Field(
        "mse",
        description="What training minimises and the score adds up. mse; huber: large errors count "
        "linearly; bce: features with firm ends (shares, on/off), which their training range is "
        "assumed to be; poisson: counts, at least 0.",
    )


class TrainedModel(Fitted):
    """Settings of every family that is trained step by step."""

    members: int = Field(4, ge=1, le=64, description="Networks with seeds of their own, averaged.")
    steps: int = Field(600, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
    batch_rows: int = Field(256, ge=2, description="Rows in one step, sampled for each member.")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    weight_decay: float = Field(1e-4, ge=0)
    patience: int = Field(
        10, ge=1, description="Checks of the validation error without gain before stopping."
    )
    horizons: tuple[Duration | Literal["all"], ...] = Field(
        (),
        description="Spans back from the newest training row, as [1d, 7d, all]: the members are "
        "divided among them, and each learns from the rows of its span only. Empty: all from all.",
    )

    @model_validator(mode="after")
    def _members_must_go_round(self) -> Self:
        if self.horizons and self.members % len(self.horizons):
            msg = (
                f"members {self.members} cannot be divided evenly among {len(self.horizons)} "
                f"horizons; set members to a multiple of {len(self.horizons)}"
            )
            raise ValueError(msg)
        short = [each for each in self.horizons if each != "all" and each <= timedelta(0)]
        if short or len(set(self.horizons)) < len(self.horizons):
            msg = "horizons must be spans above 0 or `all`, each named once"
            raise ValueError(msg)
        return self


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
