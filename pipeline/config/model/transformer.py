"""Settings of the family `transformer`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.model.windowed import Windowed


class TransformerModel(Windowed):
    """Rows of a window that look at each other (`pipeline/detector/models/transformer.py`)."""

    family: Literal["transformer"] = "transformer"
    width: int = Field(32, ge=1, le=4096, description="Numbers that represent a row.")
    heads: int = Field(4, ge=1, le=64, description="Ways of looking at other rows; divides width.")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            msg = (
                f"a width of {self.width} cannot be shared by {self.heads} heads; "
                f"set width to a multiple of {self.heads}, or heads to a divisor of {self.width}"
            )
            raise ValueError(msg)
        return self
