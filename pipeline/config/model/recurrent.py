"""Settings of the family `recurrent`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.windowed import Windowed


class RecurrentModel(Windowed):
    """A GRU that encodes a window and decodes it (`pipeline/detector/models/recurrent.py`)."""

    family: Literal["recurrent"] = "recurrent"
    width: int = Field(
        32, ge=1, le=4096, description="Numbers that a whole window passes through: the bottleneck."
    )
