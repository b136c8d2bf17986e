from datetime import date, timedelta

import pandas as pd

from pipeline.utc_day import DAY_NS, ONE_DAY, end_of, midnight


def test_a_day_ends_where_the_next_one_begins():
    new_year = date(2025, 1, 1)

    assert end_of(date(2024, 12, 31)) == midnight(new_year)
    assert midnight(new_year).isoformat() == "2025-01-01T00:00:00+00:00"


def test_a_day_of_a_clock_change_is_as_long_as_any_other():
    spring = date(2026, 3, 29)

    assert end_of(spring) - midnight(spring) == ONE_DAY == timedelta(hours=24)


def test_the_nanoseconds_are_those_of_the_day():
    assert pd.Timedelta(ONE_DAY).value == DAY_NS
