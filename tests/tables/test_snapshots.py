"""A kept snapshot is never older than the table, and never of another one."""

import shutil
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipeline.errors import DataError
from pipeline.tables import Table, current_version, read, replace_days, snapshots

MONDAY = date(2024, 1, 1)


def rows(x: float) -> pa.Table:
    return pa.table({"date": pa.array([MONDAY], pa.date32()), "x": pa.array([x], pa.float32())})


@pytest.fixture
def table(tmp_path) -> Table:
    made = Table(str(tmp_path), "pumps", "telemetry")
    replace_days(made, [MONDAY], rows(1), metadata={})
    return made


def test_a_table_is_opened_once_and_then_brought_up_to_date(table):
    assert list(read(table)["x"]) == [1]

    with patch.object(snapshots, "DeltaTable", side_effect=AssertionError("opened again")):
        write_deltalake(table.uri, rows(2), mode="append")
        assert sorted(read(table)["x"]) == [1, 2]
        replace_days(table, [MONDAY], rows(3), metadata={})
        assert list(read(table)["x"]) == [3]


def test_a_table_that_was_removed_is_not_there_any_more(table):
    read(table)

    shutil.rmtree(table.uri)

    assert current_version(table) is None
    assert read(table).empty


def test_a_table_that_was_made_anew_is_another_one(table):
    read(table)
    shutil.rmtree(table.uri)
    write_deltalake(table.uri, rows(7), partition_by=["date"])
    write_deltalake(table.uri, rows(8), mode="append")

    assert sorted(read(table)["x"]) == [7, 8]


@pytest.mark.parametrize("seen", [True, False])
def test_a_commit_that_was_lost_is_not_remembered(table, seen):
    newest = replace_days(table, [MONDAY], rows(2), metadata={})
    if seen:
        read(table)

    Path(f"{table.uri}/_delta_log/{newest:020}.json").unlink()

    assert current_version(table) == newest - 1
    assert list(read(table)["x"]) == [1]


def test_a_table_without_its_log_is_damaged(table):
    read(table)

    shutil.rmtree(f"{table.uri}/_delta_log")

    with pytest.raises(DataError, match="damaged"):
        read(table)
