"""A kept snapshot is never older than the table, and never of another one."""

import shutil
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipeline.errors import DataError, TableConflict
from pipeline.tables import Table, append, current_version, read, replace_days, snapshots
from tests.builders import days

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


def test_the_version_that_is_kept_is_not_opened_again(table):
    version = current_version(table)

    with patch.object(snapshots, "DeltaTable", side_effect=AssertionError("opened again")):
        assert list(read(table, version=version)["x"]) == [1]
        replace_days(table, [MONDAY], rows(2), metadata={}, based_on=version)
        assert list(read(table)["x"]) == [2]


def test_a_version_that_is_not_the_newest_is_what_it_was(table):
    version = current_version(table)
    write_deltalake(table.uri, rows(2), mode="append")

    assert sorted(read(table)["x"]) == [1, 2]
    assert list(read(table, version=version)["x"]) == [1]


def test_a_writer_that_comes_second_is_refused_with_a_kept_snapshot_too(table):
    version = current_version(table)
    write_deltalake(table.uri, rows(2), mode="overwrite", predicate="date = '2024-01-01'")

    with pytest.raises(TableConflict):
        replace_days(table, [MONDAY], rows(3), metadata={}, based_on=version)

    assert list(read(table)["x"]) == [2]


@pytest.mark.parametrize("n_days", [1, 40])
@pytest.mark.parametrize(
    "write",
    [
        lambda table, days, content: replace_days(table, days, content, metadata={}),
        lambda table, _days, content: append(table, content),
    ],
    ids=["replaced", "appended"],
)
def test_after_a_commit_of_many_days_the_log_begins_with_a_checkpoint(tmp_path, write, n_days):
    made, held = Table(str(tmp_path), "pumps", "telemetry"), days(n_days)
    content = pa.table({"date": pa.array(held, pa.date32()), "x": [1.0] * n_days})
    write(made, held, content)
    log = Path(made.uri, "_delta_log")

    assert bool(list(log.glob("*.checkpoint.parquet"))) == (n_days == 40)
    assert len(read(made)) == n_days
    replace_days(made, held[:1], content.slice(0, 1), metadata={})
    assert len(read(made)) == n_days


def test_a_table_that_is_made_anew_between_two_readings_of_a_version_is_another_one(table):
    version = current_version(table)
    shutil.rmtree(table.uri)
    write_deltalake(table.uri, rows(7), partition_by=["date"])
    write_deltalake(table.uri, rows(8), mode="append")

    assert sorted(read(table, version=version)["x"]) == [7, 8]
