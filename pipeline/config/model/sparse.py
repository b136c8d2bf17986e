"""Settings of the family `sparse`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import TrainedModel


class SparseModel(TrainedModel):
    """Autoencoders with few active code units (`pipeline/detector/models/sparse.py`)."""

    family: Literal["sparse"] = "sparse"
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    width: int = Field(64, ge=1, le=4096, description="Units in the layers around the code.")
    code: int = Field(
        64, ge=2, le=4096, description="Code units, each between 0 and 1; may outnumber inputs."
    )
    activity: float = Field(
        0.05, gt=0, lt=0.5, description="Target: mean activity of each code unit over normal rows."
    )
    sparsity: float = Field(
        3.0, gt=0, description="Weight of the mean divergence of the units from that activity."
    )
