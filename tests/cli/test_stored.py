import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli import stored
from pipeline.errors import DataError


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(stored, "BATCH", 100)


def save(path, first, rows, *, group=None):
    path.parent.mkdir(exist_ok=True)
    numbers = np.arange(first, first + rows)
    table = pa.table({"n": numbers, "x": numbers / 2, "name": [str(n) for n in numbers]})
    pq.write_table(table, path, row_group_size=group)


@pytest.fixture(params=["one group", "small groups", "folder"])
def source(request, tmp_path):
    """1,050 rows, numbered, cut in three ways."""
    if request.param == "folder":
        save(tmp_path / "rows" / "a.parquet", 0, 333, group=70)
        save(tmp_path / "rows" / "b.parquet", 333, 7)
        save(tmp_path / "rows" / "c.parquet", 340, 710)
        return stored.find(tmp_path / "rows")
    group = None if request.param == "one group" else 37
    save(tmp_path / "rows.parquet", 0, 1050, group=group)
    return stored.find(tmp_path / "rows.parquet")


def test_batches_hold_every_row_once_and_do_not_show_how_files_are_cut(source):
    tables = list(stored.batches(source, ["n"]))

    assert [table.num_rows for table in tables] == [100] * 10 + [50]
    assert pa.concat_tables(tables)["n"].to_pylist() == list(range(1050))


def test_the_requested_rows_are_read(source):
    numbers = np.array([0, 36, 37, 99, 332, 333, 340, 1049])

    table = stored.rows_by_number(source, ["name", "n"], numbers)

    assert table["n"].to_pylist() == numbers.tolist()
    assert table["name"].to_pylist() == [str(n) for n in numbers]


def test_the_whole_equals_its_batches(source):
    table = stored.whole(source)

    assert source.rows == table.num_rows == 1050
    assert table["n"].to_pylist() == list(range(1050))


def test_groups_without_a_row_that_is_asked_for_are_not_read(tmp_path, monkeypatch):
    save(tmp_path / "rows.parquet", 0, 1000, group=100)
    read = []
    original = pq.ParquetFile.iter_batches

    def watched(self, *arguments, **named):
        read.append(named["row_groups"])
        return original(self, *arguments, **named)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)

    stored.rows_by_number(stored.find(tmp_path / "rows.parquet"), ["n"], np.array([250, 251, 999]))

    assert read == [[2], [9]]


def test_files_of_a_folder_that_differ_are_refused(tmp_path):
    save(tmp_path / "rows" / "a.parquet", 0, 5)
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "rows" / "b.parquet")

    with pytest.raises(DataError, match=r"b\.parquet: has other columns or types than"):
        stored.find(tmp_path / "rows")


def test_a_folder_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no \.parquet file"):
        stored.find(tmp_path)


@pytest.mark.parametrize("group", [None, 20_000])
def test_reading_in_batches_never_holds_the_file(tmp_path, monkeypatch, group):
    monkeypatch.setattr(stored, "BATCH", 2048)
    values = np.random.default_rng(0).random((400_000, 10))
    table = pa.table({f"x{n}": values[:, n] for n in range(10)})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=group, use_dictionary=False)
    size = table.nbytes
    del table
    source = stored.find(tmp_path / "rows.parquet")

    before = pa.total_allocated_bytes()
    held = [
        pa.total_allocated_bytes() - before for _ in stored.batches(source, source.schema.names)
    ]

    assert len(held) == 196
    assert max(held) < size / 2
