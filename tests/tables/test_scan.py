"""Bulk reading: the columns and days asked for, whatever the files of a table look like."""

from datetime import date

import pyarrow as pa
import pytest

from pipeline.errors import DataError
from pipeline.tables import Table, append, replace_days
from pipeline.tables.frames import frame_of
from pipeline.tables.scan import files_by_day, rows_by_day, scan

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)


@pytest.fixture
def table(root) -> Table:
    """Two days, a file each, whose words come in another order."""
    table = Table(root, "pumps", "scores")
    for day, words in ((TUESDAY, ["b", None, "a"]), (MONDAY, ["c", "b"])):
        columns = {"date": [day] * len(words), "entity": words, "score": [1.0] * len(words)}
        kinds = pa.schema([("date", pa.date32()), ("entity", pa.string()), ("score", pa.float64())])
        rows = pa.table(columns, schema=kinds)
        replace_days(table, [day], rows, metadata={})
    return table


def test_only_the_days_and_columns_asked_for_are_read(table):
    version, rows = scan(table, MONDAY, MONDAY, columns=["score", "an unknown one"])

    assert (version, rows.column_names, rows.num_rows) == (2, ["score"], 2)


def test_days_come_in_order_and_text_as_categories_in_order(table):
    frame = frame_of(scan(table, MONDAY, TUESDAY)[1])

    assert list(frame["date"]) == [MONDAY] * 2 + [TUESDAY] * 3
    assert list(frame["entity"].cat.categories) == ["a", "b", "c"]
    assert frame["entity"].astype(object).where(frame["entity"].notna(), None).tolist() == [
        "c", "b", "b", None, "a",
    ]  # fmt: skip


def test_the_log_says_how_many_rows_a_day_holds(table):
    assert rows_by_day(table) == {MONDAY: 2, TUESDAY: 3}


def test_a_table_that_nobody_wrote_has_no_version_and_no_rows(tmp_path):
    nowhere = Table(str(tmp_path), "pumps", "scores")

    assert rows_by_day(nowhere) == {}
    assert scan(nowhere, MONDAY, TUESDAY)[0] is None
    assert frame_of(scan(nowhere, MONDAY, TUESDAY)[1]).empty


def test_an_unknown_version_is_refused(table):
    with pytest.raises(DataError, match="version 7"):
        scan(table, MONDAY, MONDAY, version=7)


def test_the_files_of_a_day_are_known_by_name_and_new_rows_are_new_files(table):
    before = files_by_day(table)
    append(table, pa.table({"date": pa.array([MONDAY], pa.date32()), "entity": ["d"]}))
    after = files_by_day(table)

    assert set(before) == {MONDAY, TUESDAY}
    assert after[TUESDAY] == before[TUESDAY]
    assert set(before[MONDAY]) < set(after[MONDAY])
    assert files_by_day(Table(table.root, "fans", "scores")) == {}
