"""What the settings of all families have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section

Loss = Literal["mse", "huber", "bce", "poisson"]


class Fitted(Section):
    """What every family has."""

    seed: int = Field(
        42, ge=0, lt=2**63, description="Same seed, same rows, same machine: same weights."
    )
    loss: Loss = Field(
        "mse",
        description="What training minimises and the score adds up. mse; huber: large errors count "
        "linearly; bce: features between 0 and 1; poisson: counts.",
    )


class Trained(Fitted):
    """What every family has that is trained step by step."""

    members: int = Field(4, ge=1, le=64, description="Networks with seeds of their own, averaged.")
    steps: int = Field(600, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
    batch_rows: int = Field(256, ge=2, description="Rows in one step, drawn anew for each member.")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    weight_decay: float = Field(1e-4, ge=0)
    patience: int = Field(
        10, ge=1, description="Checks of the validation error without gain before stopping."
    )
