"""Sections `schedule` and `promotion`: when the DAGs run, and who promotes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.cron import Cron
from pipeline.config.section import Days, Section

# Times are 64-bit nanoseconds since 1970, whose range ends in these years.
_FIRST, _LAST = date(1678, 1, 1), date(2261, 12, 31)


def _can_be_held(value: date) -> date:
    if not _FIRST <= value <= _LAST:
        msg = f"got {value}; limit {_FIRST} to {_LAST}, as times are held in nanoseconds"
        raise ValueError(f"{msg}: write a day between them")
    return value


Day = Annotated[date, AfterValidator(_can_be_held)]


class Schedule(Section):
    """When the DAGs run. Partitions are UTC days, so ingestion itself is always at midnight."""

    start: Day = Field(description="First partition that is expected to exist.")
    end: Day | None = Field(
        None,
        description="Last partition of a history that has ended: nothing runs by schedule for "
        "later days, only by hand; None: the data go on.",
    )
    train: Cron = Field("0 3 1 * *", description="Training runs (UTC); monthly by default.")
    recalibrate: Cron = Field("0 5 1 * *", description="Recalibrations (UTC); monthly by default.")
    housekeeping: Cron = Field("0 6 * * 0", description="Housekeeping (UTC); weekly by default.")

    @model_validator(mode="after")
    def _end_must_follow_start(self) -> Self:
        if self.end is not None and self.end < self.start:
            msg = f"end {self.end} lies before start {self.start}; swap them"
            raise ValueError(msg)
        return self


class Promotion(Section):
    """Who promotes a candidate that passed its gate."""

    approval: Literal["none", "human"] = "none"
    approval_hours: int = Field(72, ge=1, le=87_600, description="Unanswered after this: rejected.")
    watch_partitions: int = Field(
        3, ge=0, description="Partitions in a row outside the limits that roll back; 0: no watch."
    )
    watch_days: Days = Field(14, ge=1, description="Partitions after a promotion that are watched.")
    watch_alert_rate: float = Field(
        0.2, gt=0, le=1, description="Share of flagged rows of a partition that is out of limits."
    )
    watch_score_ratio: float = Field(
        3.0, gt=1, description="Median score over that of the calibration rows: out of limits."
    )
