"""Settings of the family `convolutional`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.windowed import Windowed


class ConvolutionalModel(Windowed):
    """Convolutions along a window (`pipeline/detector/models/convolutional.py`)."""

    family: Literal["convolutional"] = "convolutional"
    width: int = Field(32, ge=1, le=4096, description="Channels in each hidden layer.")
