"""Section `threshold`: how the threshold is estimated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section

Method = Literal["conformal", "percentile", "hill", "pot", "mad", "sigma", "cost_weighted"]
Objective = Literal["cost", "f1", "youden"]


class Threshold(Section):
    """How the threshold is estimated from held-out normal scores."""

    method: Method = Field(
        "conformal",
        description="conformal: the only one with a guarantee; hill, pot: a fitted tail, for few "
        "rows or a small alpha; percentile, mad, sigma: to compare with, never a default; "
        "cost_weighted: between normal rows and labelled incidents instead of by alpha.",
    )
    alpha: float = Field(
        0.01, gt=0, lt=0.5, description="Share of normal rows that may lie above the threshold."
    )
    minimum_rows: int = Field(
        99,
        ge=20,
        description="Calibration rows below which no conformal threshold is estimated; at alpha "
        "0.01 the order statistic does not exist below 99. What correlated rows are worth shows in "
        "the intervals, and gate.minimum_calibration_rows limits it.",
    )
    small_sample: Literal["refuse", "hill"] = Field(
        "refuse", description="Below minimum_rows: refuse, or a Hill tail marked low-confidence."
    )
    tail_quantile: float = Field(
        0.9,
        ge=0.5,
        lt=1,
        description="hill, pot: where the fitted tail begins, as a quantile of the scores.",
    )
    objective: Objective = Field(
        "cost",
        description="cost_weighted: cost: least miss_cost x missed rows + false alarms; f1; "
        "youden: caught share minus false-alarm share.",
    )
    miss_cost: float = Field(
        10.0, gt=0, description="cost_weighted: false alarms that one missed incident row is worth."
    )
    minimum_incidents: int = Field(
        5,
        ge=2,
        description="cost_weighted: labelled incidents in the calibration block below which it "
        "refuses; rows of one incident are alike and count once.",
    )
