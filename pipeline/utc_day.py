"""A UTC day: the partition of every table and the interval of every run."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

ONE_DAY = timedelta(days=1)
DAY_NS = 86_400_000_000_000
"""Nanoseconds of a day; UTC has no other days."""


def midnight(day: date) -> datetime:
    """The first moment of `day`, UTC."""
    return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime:
    """The first moment after `day`, UTC."""
    return midnight(day + ONE_DAY)
