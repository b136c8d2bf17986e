"""Sections `recalibration`, `shifts` and `housekeeping`: the upkeep of a live detector."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from pipeline.config.section import Days, Duration, Section


class Recalibration(Section):
    """How the threshold is estimated again on a rolling window, with the same weights."""

    window_days: Days = Field(
        360,
        ge=7,
        description="Scored days before the as-of day. A month of correlated rows does not know "
        "its own tail: the rate would scatter by a sixth.",
    )
    minimum_days: Days = Field(14, ge=1, description="Fewer scored days than this: refuse.")
    join_rows: int = Field(
        4, ge=0, description="Flags at most so many rows apart are one cluster; see hold-back."
    )
    audit_share: float = Field(
        0.2, gt=0, le=1, description="Share of flagged episodes proposed for labelling each month."
    )
    align_levels: bool = Field(
        default=True,
        description="Bring each month of the window to the median of the newest, so that a long "
        "window does not lag behind growth; false where body and tail do not move together.",
    )
    maximum_growth: float = Field(
        0.15,
        gt=0,
        description="Growth of the median score in 30 days, on average since training or over the "
        "last three months, that stops and asks: creep. Measured from 45 days on; then 10 % is "
        "distinguishable from 19 %.",
    )
    maximum_step: float = Field(
        0.2,
        gt=0,
        description="Move of the threshold, beyond its confidence interval, that stops and asks.",
    )
    maximum_total: float = Field(
        0.5, gt=0, description="Move since training that stops and asks, interval or not."
    )
    stale_after_days: Days = Field(
        90, ge=1, description="A threshold that has not moved for so long is reported."
    )


class Shifts(Section):
    """When a channel has left its training range, is muted instead of flagged, and is reported.

    The defaults were chosen on four servers of SMD (one row a minute) and checked on La Haute
    Borne (ten minutes); `pipeline/shifts.py` has the rule.
    """

    trailing: Duration = Field(
        timedelta(hours=1),
        gt=timedelta(0),
        description="Mute a channel that was out of its range in most rows of this span, or of "
        "six rows where that is longer. Half of it passes before a shift is muted: with 6 h "
        "instead of 1 h twice as many normal rows are flagged.",
    )
    share: float = Field(
        0.5, gt=0, lt=1, description="More of the rows of `trailing` than this out of range: most."
    )
    padding: float = Field(
        0.02,
        ge=0,
        description="Of the training range (0.1 to 99.9 %), added at both ends: the edge of a "
        "sample is not the edge of the world.",
    )
    lasting: Duration = Field(
        timedelta(hours=16),
        gt=timedelta(0),
        le=timedelta(hours=20),
        description="Report a channel that was out for a third of this span. Most of a "
        "day, so that what is out by day and in by night is reported once; a third of it is longer "
        "than an incident or a nightly job.",
    )
    regime_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="More of the channels than this, and at least three, out for so long at once: "
        "a new regime, retrain.",
    )

    @model_validator(mode="after")
    def _a_day_must_be_enough(self) -> Self:
        if self.trailing + self.lasting > timedelta(hours=24):
            msg = (
                f"trailing {self.trailing} and lasting {self.lasting} exceed 24 h together; a "
                "day's scores may depend on that day and the day before, no more: shorten one"
            )
            raise ValueError(msg)
        return self


class Housekeeping(Section):
    """How many versions, staged files and table versions are kept."""

    versions: int = Field(12, ge=2, description="Newest registered versions that are kept.")
    staged_days: Days = Field(14, ge=1, description="Age at which staged files are removed.")
    history_days: Days = Field(
        400, ge=30, description="Age at which unreferenced table versions are removed."
    )
