from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from pipeline.errors import DataError
from pipeline.staging import filesystem_at
from pipeline.tables import Table, append, current_version, days_in, read, replace_days, upkeep
from pipeline.tables.upkeep import compact, remove_days, vacuum

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)
NOW = timedelta(0)


def rows(*values: float, day: date = MONDAY) -> pa.Table:
    return pa.table(
        {"date": pa.array([day] * len(values), pa.date32()), "x": pa.array(values, pa.float32())}
    )


@pytest.fixture
def table(root) -> Table:
    return Table(root, "pumps", "telemetry")


def given_up(table: Table, age: timedelta = NOW, **asked) -> int:
    """Vacuum what was given up before `age` ago."""
    before = datetime.now(UTC) - age
    return vacuum(table, before=before, **{"needed": (), **asked})


def files(table: Table) -> int:
    return len(upkeep._stored(table))


def test_the_files_of_a_day_become_one_and_its_rows_stay(table):
    for value in (1, 2, 3):
        append(table, rows(value))
    append(table, rows(9, day=TUESDAY))
    before = current_version(table)

    compacted = compact(table)

    assert compacted == 3
    assert sorted(read(table)["x"]) == [1, 2, 3, 9]
    assert sorted(read(table, version=before)["x"]) == [1, 2, 3, 9]
    assert compact(table) == 0


def test_a_table_that_nobody_wrote_is_left_alone(table):
    assert compact(table) == given_up(table) == 0


def test_a_dry_run_says_what_would_go_and_changes_nothing(table):
    append(table, rows(1))
    append(table, rows(2))
    replace_days(table, [TUESDAY], rows(3, day=TUESDAY), metadata={})
    replace_days(table, [TUESDAY], rows(4, day=TUESDAY), metadata={})
    before = current_version(table), files(table)

    counts = compact(table, dry_run=True), given_up(table, dry_run=True)

    assert counts == (2, 1)
    assert (current_version(table), files(table)) == before


def test_a_needed_version_keeps_every_file_and_others_go(table):
    wanted = replace_days(table, [MONDAY], rows(1, 2), metadata={})
    spare = replace_days(table, [MONDAY], rows(3), metadata={})
    replace_days(table, [MONDAY], rows(4), metadata={})

    deleted = given_up(table, needed=[wanted])

    assert deleted == 1
    assert sorted(read(table, version=wanted)["x"]) == [1, 2]
    assert list(read(table)["x"]) == [4]
    with pytest.raises(DataError, match=f"version {spare} cannot be read"):
        read(table, version=spare)


def test_what_was_given_up_lately_stays(table):
    old = replace_days(table, [MONDAY], rows(1), metadata={})
    replace_days(table, [MONDAY], rows(2), metadata={})

    assert given_up(table, timedelta(days=30)) == 0
    assert list(read(table, version=old)["x"]) == [1]


def test_what_a_dead_writer_left_goes_too(table):
    append(table, rows(1))
    source, path = filesystem_at(table.uri)
    with source.open_output_stream(f"{path}/date=2024-01-01/part-orphan.parquet") as orphan:
        orphan.write(b"half")

    assert given_up(table) == 1
    assert files(table) == 1


def test_doing_it_again_finds_nothing_and_commits_nothing(table):
    for value in (1, 2):
        replace_days(table, [MONDAY], rows(value), metadata={})
    given_up(table)
    before = current_version(table)

    assert given_up(table) == 0
    assert current_version(table) == before


def test_a_needed_version_that_does_not_exist_deletes_nothing(table):
    replace_days(table, [MONDAY], rows(1), metadata={})
    replace_days(table, [MONDAY], rows(2), metadata={})

    with pytest.raises(DataError):
        given_up(table, needed=[99])

    assert files(table) == 2


def test_a_library_that_forgets_a_needed_version_is_not_believed(table, monkeypatch):
    needed = replace_days(table, [MONDAY], rows(1), metadata={})
    replace_days(table, [MONDAY], rows(2), metadata={})
    real = upkeep.DeltaTable.vacuum
    monkeypatch.setattr(
        upkeep.DeltaTable,
        "vacuum",
        lambda self, **asked: real(self, **{**asked, "keep_versions": None}),
    )

    with pytest.raises(DataError, match=f"version {needed} is needed and would lose 1 of 1 files"):
        given_up(table, needed=[needed])

    assert files(table) == 2


def test_removed_days_are_gone_from_now_on_and_from_no_earlier_version(table):
    append(table, rows(1))
    before = append(table, rows(3, day=TUESDAY))

    assert remove_days(table, [MONDAY, date(2030, 1, 1)], metadata={"why": "a slip"})

    assert days_in(table) == [TUESDAY]
    assert sorted(read(table, version=before)["x"]) == [1, 3]
    assert DeltaTable(table.uri).history(1)[0]["why"] == "a slip"


def test_to_remove_days_that_are_not_there_changes_nothing(table):
    assert not remove_days(table, [MONDAY], metadata={})
    assert current_version(table) is None
