"""Cron lines: five fields that Airflow's own parser accepts and that match some date."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from croniter import CroniterBadDateError, CroniterError, croniter
from pydantic import AfterValidator

from pipeline.config.shown import shown

FIELDS = 5
_LONGEST = 200
_RANDOM = re.compile(r"(?:^|[\s,])[rh](?:\W|$)", re.IGNORECASE)


def _comes_round(value: str) -> str:
    if len(value.split()) != FIELDS or len(value) > _LONGEST:
        msg = f"{shown(value)} is no cron line; write five fields, for example '0 3 1 * *'"
        raise ValueError(msg)
    if _RANDOM.search(value):
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
