"""Damaged tables: the fault is the table's, named by its file, and no outage that is retried."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import tables
from pipeline.errors import DamagedFile, DataError, OutageError
from pipeline.tables import Table, read, replace_days, snapshots
from pipeline.tables.scan import rows_by_day, scan
from tests.s3_server import free_ports

DAYS = [date(2024, 1, number) for number in (1, 2, 3)]


def rows(day: date, value: float) -> pa.Table:
    return pa.table(
        {"date": pa.array([day] * 2, pa.date32()), "x": pa.array([value, value + 1], pa.float32())}
    )


def made(root, commits: int = 3) -> Table:
    table = Table(str(root), "pumps", "telemetry")
    for number in range(commits):
        day = DAYS[number % 3]
        replace_days(table, [day], rows(day, number), metadata={})
    return table


@pytest.fixture
def table(tmp_path) -> Table:
    return made(tmp_path)


def log(table: Table) -> Path:
    return Path(table.uri) / "_delta_log"


def commit(table: Table, number: int) -> Path:
    return log(table) / f"{number:020d}.json"


def data(table: Table) -> Path:
    return min(Path(table.uri).glob("date=*/*.parquet"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def overwrite_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20:40] = bytes(byte ^ 255 for byte in content[20:40])
    path.write_bytes(content)


def missing(path: Path) -> None:
    path.unlink()


LOG = {
    "middle gone": (lambda t: missing(commit(t, 2)), "2.json is gone, and 0*3.json is there"),
    "first gone": (lambda t: missing(commit(t, 0)), "0.json is gone"),
    "first two gone": (
        lambda t: (missing(commit(t, 0)), missing(commit(t, 1))),
        "0.json is gone",
    ),
    "middle cut": (lambda t: cut(commit(t, 2)), "2.json is no JSON: it was cut off"),
    "newest cut": (lambda t: cut(commit(t, 3)), "3.json is no JSON"),
    "garbage": (lambda t: commit(t, 1).write_bytes(os.urandom(200)), "1.json is no JSON"),
    "text": (lambda t: commit(t, 2).write_text("moved to the archive\n"), "2.json is no JSON"),
    "first without its head": (lambda t: commit(t, 0).write_text('{"commitInfo":{}}\n'), "has no"),
    "future": (
        lambda t: shutil.copy(commit(t, 3), commit(t, 9)),
        "4.json is gone, and 0*9.json is there",
    ),
    "hint of nothing": (
        lambda t: (log(t) / "_last_checkpoint").write_text('{"version":2,"size":3}'),
        r"_last_checkpoint names checkpoint 2, .*delete this one file",
    ),
    "log gone": (lambda t: shutil.rmtree(log(t)), "_delta_log is gone or empty"),
    "log empty": (lambda t: [missing(p) for p in log(t).iterdir()], "_delta_log is gone or empty"),
    "log a file": (
        lambda t: (shutil.rmtree(log(t)), log(t).write_text("x")),
        "_delta_log is gone",
    ),
}
DATA = {
    "gone": (missing, "is gone"),
    "cut": (cut, "bytes, and the log says"),
    "empty": (lambda path: path.write_bytes(b""), "has 0 bytes, and the log says"),
    "garbage": (lambda path: path.write_bytes(os.urandom(path.stat().st_size)), "no whole Parquet"),
    "a page": (overwrite_middle, "is no whole Parquet file"),
    "another table": (
        lambda path: pq.write_table(pa.table({"x": ["a"]}), path),
        "and the log says",
    ),
}
READS = {
    "read": read,
    "scan": lambda table: scan(table, DAYS[0], DAYS[2]),
    "newest": lambda table: tables.read_newest(table, DAYS[0], DAYS[2]),
}


@pytest.mark.parametrize("name", LOG)
def test_a_damaged_log_is_a_fault_of_the_table_named_by_its_file(table, name):
    damage, said = LOG[name]
    damage(table)
    snapshots.forget(table.uri)  # as a process that has not read it yet finds it

    for call in (
        *READS.values(),
        tables.days_in,
        tables.current_version,
        rows_by_day,
        lambda t: replace_days(t, DAYS[:1], rows(DAYS[0], 9), metadata={}),
    ):
        with pytest.raises(DataError, match=said) as refused:
            call(table)
        assert table.uri in str(refused.value)
        assert "docs/runbook.md, 'A damaged table'" in str(refused.value)
        assert not isinstance(refused.value, DamagedFile)


@pytest.mark.parametrize("name", DATA)
def test_a_damaged_data_file_is_named_and_its_day_can_be_written_anew(table, name):
    damage, said = DATA[name]
    path = data(table)
    damage(path)

    for call in READS.values():
        with pytest.raises(DamagedFile, match=said) as refused:
            call(table)
        assert f"{path.parent.name}/{path.name}" in str(refused.value)
        assert "Ingest that day again" in str(refused.value)
    assert len(read(table, first_day=DAYS[1])) == 4  # the other days can be read

    replace_days(table, DAYS[:1], rows(DAYS[0], 9), metadata={})

    assert sorted(read(table)["x"]) == [1, 2, 2, 3, 9, 10]


def test_a_checkpoint_that_is_gone_or_damaged_is_named(tmp_path):
    for damage, said in ((missing, "0*.json is gone|names checkpoint"), (cut, "no whole Parquet")):
        table = made(tmp_path / damage.__name__, commits=25)
        (checkpoint,) = log(table).glob("*.checkpoint.parquet")
        for number in range(20):
            missing(commit(table, number))
        damage(checkpoint)
        snapshots.forget(table.uri)

        with pytest.raises(DataError, match=said):
            read(table)


def test_a_folder_without_anything_is_a_table_that_nobody_has_written_yet(tmp_path):
    table = Table(str(tmp_path), "pumps", "telemetry")
    Path(table.uri).mkdir(parents=True)

    assert read(table).empty
    assert replace_days(table, DAYS[:1], rows(DAYS[0], 1), metadata={}) == 1


def test_a_file_that_housekeeping_deleted_is_reported_of_an_old_version(table):
    replace_days(table, DAYS[:1], rows(DAYS[0], 9), metadata={})
    missing(oldest(table))

    assert len(read(table)) == 6
    with pytest.raises(
        DataError, match=r"version 1 cannot be read \(data file .* is gone\)"
    ) as refused:
        read(table, version=1)
    assert not isinstance(refused.value, DamagedFile)


def oldest(table: Table) -> Path:
    return min(data(table).parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def test_what_is_no_fault_of_a_table_stays_what_it_is(table):
    with pytest.raises(pa.ArrowInvalid, match="no_such_column"):
        read(table, columns=["no_such_column"])
    with pytest.raises(DataError, match="choose a version that its history lists"):
        read(table, version=99)


def test_a_store_that_does_not_answer_stays_an_outage(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")

    with pytest.raises(OutageError, match="does not answer"):
        read(Table("s3://nowhere/lake", "pumps", "telemetry"))


@pytest.mark.integration
def test_damage_on_s3_is_reported_as_on_a_disk(s3_root):
    from pyarrow import fs

    table = made(s3_root)
    source, path = fs.FileSystem.from_uri(table.uri)
    (first, *_) = [
        entry.path
        for entry in source.get_file_info(fs.FileSelector(path, recursive=True))
        if entry.path.endswith(".parquet")
    ]
    source.delete_file(first)
    with pytest.raises(DamagedFile, match="is gone"):
        read(table)

    source.delete_file(f"{path}/_delta_log/{2:020d}.json")
    with pytest.raises(DataError, match=r"2\.json is gone"):
        read(table)

    source.delete_dir_contents(f"{path}/_delta_log")
    with pytest.raises(DataError, match="_delta_log is gone or empty"):
        read(table)
