"""Settings of the family `denoising`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import TrainedModel


class DenoisingModel(TrainedModel):
    """Ensemble of small denoising autoencoders (`pipeline/detector/models/denoising.py`).

    The defaults were chosen on La Haute Borne, ADBench and SMD together; more width and more steps
    lower the training error and raise the false alarms of later months. Rows without time do
    better without `swap`, by half a point of ROC-AUC and one of average precision.
    """

    family: Literal["denoising"] = "denoising"
    members: int = Field(
        8, ge=1, le=64, description="Networks, trained as one batched computation."
    )
    steps: int = Field(300, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
    width: int = Field(64, ge=1, le=4096, description="Units in each of the two hidden layers.")
    noise: tuple[float, float] = Field(
        (0.05, 1.0), description="Range of the Gaussian noise, in standard deviations; log-uniform."
    )
    swap: float = Field(
        0.3,
        ge=0,
        le=0.5,
        description="Mean share of a row's features that are swapped for another row's while "
        "training; teaches which features belong together.",
    )
