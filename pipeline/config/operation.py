"""Sections `schedule`, `promotion`, `incidents` and `notify`: how a detector runs day by day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self

from croniter import CroniterBadDateError, CroniterError, croniter
from pydantic import AfterValidator, Field, model_validator

from pipeline.config.section import Days, Duration, Section
from pipeline.config.shown import shown

_CRON_FIELDS = 5
_LONGEST_CRON = 200
_RANDOM_FIELD = re.compile(r"(?:^|[\s,])[rh](?:\W|$)", re.IGNORECASE)

# Times are 64-bit nanoseconds since 1970, whose range ends in these years.
_FIRST, _LAST = date(1678, 1, 1), date(2261, 12, 31)


def _comes_round(value: str) -> str:
    if len(value.split()) != _CRON_FIELDS or len(value) > _LONGEST_CRON:
        msg = f"{shown(value)} is no cron line; write five fields, for example '0 3 1 * *'"
        raise ValueError(msg)
    if _RANDOM_FIELD.search(value):
        msg = f"{shown(value)} leaves a field to chance (R, H); write a number, as in '0 3 1 * *'"
        raise ValueError(msg)
    # Airflow's own parser, so that both accept the same lines.
    try:
        croniter(value, datetime.now(UTC)).get_next(datetime)
    except CroniterBadDateError:
        msg = (
            f"{shown(value)} never comes: no month has that day; choose a day that exists, for "
            "example '0 3 1 * *'"
        )
        raise ValueError(msg) from None
    except CroniterError:
        msg = (
            f"{shown(value)} is no cron line; its fields are minute 0-59, hour 0-23, day 1-31, "
            "month 1-12 or jan-dec, weekday 0-7 or sun-sat, for example '0 3 1 * *'"
        )
        raise ValueError(msg) from None
    return value


Cron = Annotated[str, AfterValidator(_comes_round)]


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


class Incidents(Section):
    """Rules by which flags of one entity form incidents."""

    join: Duration = Field(
        timedelta(hours=1),
        gt=timedelta(0),
        description="Flags at most this far apart are one incident: one fault, one message.",
    )
    minimum_rows: int = Field(
        1, ge=1, description="Episodes with fewer flags open no incident; their flags stay."
    )


class Notify(Section):
    """The receiver of the one message of an incident. Credentials are in an Airflow connection."""

    channel: Literal["log", "smtp", "slack", "webhook"] = "log"
    connection: str | None = Field(
        None, description="Airflow connection id; every channel but `log` needs one."
    )
    to: tuple[str, ...] = Field((), description="Mail addresses, for `smtp`.")
    horizon_days: Days = Field(
        3,
        ge=0,
        description="No message about a day older than this when it is scored: it is history.",
    )

    @model_validator(mode="after")
    def _channel_must_be_reachable(self) -> Self:
        if self.channel != "log" and not self.connection:
            msg = f"channel {self.channel!r} needs `connection`, the id of an Airflow connection"
            raise ValueError(msg)
        if self.channel == "smtp" and not self.to:
            msg = "channel 'smtp' needs `to`, a list of mail addresses"
            raise ValueError(msg)
        for address in self.to:
            if not address or not address.isprintable() or " " in address:
                msg = f"to holds {shown(address)}, which is no mail address; write name@example.org"
                raise ValueError(msg)
        return self
