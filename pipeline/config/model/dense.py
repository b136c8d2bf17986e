"""Settings of the family `dense`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.model.fitted import TrainedModel


class DenseModel(TrainedModel):
    """Bottleneck autoencoders (`pipeline/detector/models/dense.py`).

    Defaults from eight ADBench sets.
    """

    family: Literal["dense"] = "dense"
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (64, 32), description="Units in each layer before the code; mirrored behind it."
    )
    code: int | None = Field(
        None,
        ge=1,
        description="Units in the bottleneck, fewer than inputs. Absent: half of the inputs, "
        "rounded down, and no more than the narrowest hidden layer.",
    )
