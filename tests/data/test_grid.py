"""Days in parts that fit into memory."""

from datetime import date

from pipeline.data.grid import portions

DAYS = [date(2024, 1, n) for n in (1, 2, 3, 5, 6)]


def sizes(**limits: int) -> list[int]:
    rows = dict.fromkeys(DAYS, 10) | {DAYS[3]: 100}
    return [len(each) for each in portions(DAYS, rows, **limits)]


def test_a_portion_holds_no_more_rows_than_the_limit():
    assert sizes(most_days=61, most_rows=20) == [2, 1, 1, 1]


def test_a_day_with_more_rows_than_the_limit_is_alone_and_whole():
    assert sizes(most_days=61, most_rows=110) == [3, 2]
    assert sizes(most_days=61, most_rows=50) == [3, 1, 1]


def test_a_portion_ends_where_a_day_is_absent_and_after_so_many_days():
    assert sizes(most_days=2, most_rows=1000) == [2, 1, 2]


def test_days_whose_rows_nobody_knows_count_nothing():
    assert [len(each) for each in portions(DAYS, {}, most_days=61, most_rows=1)] == [3, 2]
