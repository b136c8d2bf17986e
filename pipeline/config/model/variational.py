"""Settings of the family `variational`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import TrainedModel


class VariationalModel(TrainedModel):
    """Variational autoencoders (`pipeline/detector/models/variational.py`)."""

    family: Literal["variational"] = "variational"
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    width: int = Field(64, ge=1, le=4096, description="Units in the layers around the code.")
    code: int = Field(
        32, ge=1, le=4096, description="Code units; those that the rows do not need fall silent."
    )
    beta: float = Field(
        0.02,
        ge=0,
        description="Weight of the divergence from the prior. Above about 1 the code falls silent: "
        "the collapse is reported.",
    )
    annealing: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Share of the steps over which the weight rises from 0 to beta; 0: at once.",
    )
