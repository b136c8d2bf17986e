"""Settings of the family `masked`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.model.fitted import TrainedModel


class MaskedModel(TrainedModel):
    """Autoencoders that guess hidden features from the others (`detector/models/masked.py`).

    The only family that also accepts rows with missing values: see `validation.missing_cells`.
    """

    takes_missing: ClassVar[bool] = True

    family: Literal["masked"] = "masked"
    width: int = Field(64, ge=1, le=4096, description="Units in each of the two hidden layers.")
    hidden: tuple[float, float] = Field(
        (0.05, 0.6),
        description="Range of the share of its features that is hidden from a row while training; "
        "each row gets its own.",
    )
    visible: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Weight of what is not hidden in the training loss, where a hidden feature "
        "weighs 1. Measured: 1 gains up to 2 points of ROC-AUC where rows are odd as a whole "
        "(ADBench), 0 gains 2 where one sensor contradicts the others.",
    )
    passes: int = Field(
        4,
        ge=2,
        le=64,
        description="Looks at a row when it is scored: each feature is hidden in one of them, and "
        "judged by that one. More looks hide fewer features at once and cost as much more.",
    )

    @model_validator(mode="after")
    def _shares_must_rise(self) -> Self:
        low, high = self.hidden
        if not 0 <= low <= high <= 1 or high == 0:
            msg = f"hidden is {list(self.hidden)}; write [lowest, highest] between 0 and 1"
            raise ValueError(msg)
        return self
