"""Settings of the family `contractive`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import TrainedModel


class ContractiveModel(TrainedModel):
    """Autoencoders that resist small changes (`pipeline/detector/models/contractive.py`)."""

    family: Literal["contractive"] = "contractive"
    learning_rate: float = Field(
        1e-2, gt=0, le=1, description="Peak; the tied weights bear a higher one than deep networks."
    )
    code: int = Field(64, ge=1, le=4096, description="Units in the one hidden layer.")
    activation: Literal["sigmoid", "tanh"] = Field(
        "sigmoid", description="Of the hidden layer; both have a Jacobian in closed form."
    )
    contraction: float = Field(
        0.1, ge=0, description="Weight of the squared Frobenius norm of the encoder's Jacobian."
    )
