"""Sections `smoothing`, `contexts` and `threshold`: from the scores of the network to flags."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Section
from pipeline.config.shown import shown

Method = Literal["conformal", "percentile", "hill", "pot", "mad", "sigma", "cost_weighted"]
Objective = Literal["cost", "f1", "youden"]


class Smoothing(Section):
    """A row's score as the mean over the rows that lead up to it."""

    rows: int = Field(
        1,
        ge=1,
        le=1000,
        description="Rows of one unbroken run whose scores are averaged, the row itself included; "
        "1: none. What lasts is caught lower, a single odd row later or not at all.",
    )


class Contexts(Section):
    """Groups of rows with a usual level of their own, which share one threshold.

    Scores are divided by the ratio of the group's own threshold to that of all rows, so that a
    noisy machine does not make all the alarms and a quiet one none.
    """

    by: Literal["none", "entity", "hour_of_week", "column"] = Field(
        "none", description="A group is a machine, an hour of the UTC week, or a value of `column`."
    )
    column: str | None = Field(
        None,
        description="Feature whose value names the group (an operating mode), for by: column. A "
        "number with few values; at most 200.",
    )
    prior_rows: float = Field(
        100,
        gt=0,
        description="A group worth n independent rows keeps n / (n + prior_rows) of the logarithm "
        "of its own factor; below 50, many small groups raise the false alarms.",
    )

    @model_validator(mode="after")
    def _column_and_by_must_agree(self) -> Self:
        if (self.by == "column") != (self.column is not None):
            msg = (
                f"by is {self.by!r} and column {shown(self.column)}; write both by: column and the "
                "feature's name under column, or neither"
            )
            raise ValueError(msg)
        return self


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
