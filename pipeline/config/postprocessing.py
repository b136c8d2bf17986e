"""Sections `smoothing` and `contexts`: the postprocessing of a score."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Section
from pipeline.config.shown import shown


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
