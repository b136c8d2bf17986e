"""Section `threshold`: where the line is drawn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section


class Threshold(Section):
    """Where the line is drawn on held-out normal scores."""

    method: Literal["conformal", "hill"] = "conformal"
    alpha: float = Field(
        0.01, gt=0, lt=0.5, description="Share of normal rows that may cross the line."
    )
    minimum_rows: int = Field(
        99,
        ge=20,
        description="Calibration rows below which no conformal threshold is drawn; at alpha 0.01 "
        "the order statistic does not exist below 99. What correlated rows are worth shows in the "
        "intervals, and gate.minimum_calibration_rows judges it.",
    )
    small_sample: Literal["refuse", "hill"] = Field(
        "refuse", description="Below minimum_rows: refuse, or a Hill tail marked low-confidence."
    )
