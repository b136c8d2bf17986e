"""Settings of the family `linear`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import Fitted


class LinearModel(Fitted):
    """Soft principal components, in closed form (`pipeline/detector/models/linear.py`)."""

    family: Literal["linear"] = "linear"
    loss: Literal["mse"] = Field("mse", description="Least squares; there is no other closed form.")
    ridge: float = Field(
        0.1,
        gt=0,
        le=10,
        description="Variance, in variances of a feature, below which a direction is noise: what "
        "varies much more is reconstructed, what varies less is left in the residual.",
    )
