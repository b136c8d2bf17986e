import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from pipeline.errors import DataError, OutageError, TableConflict
from pipeline.tables import (
    Table,
    append,
    current_version,
    days_in,
    engine,
    in_order,
    read,
    replace_days,
)
from pipeline.tables.appending import append_behind
from pipeline.tables.schemas import SCHEMAS
from pipeline.tables.upkeep import compact

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)


def rows(*values: float, day: date = MONDAY) -> pa.Table:
    return pa.table(
        {
            "date": pa.array([day] * len(values), pa.date32()),
            "timestamp": pa.array(
                [datetime(2024, 1, day.day, tzinfo=UTC)] * len(values), pa.timestamp("us", "UTC")
            ),
            "x": pa.array(values, pa.float32()),
        }
    )


@pytest.fixture
def table(root) -> Table:
    return Table(root, "pumps", "telemetry")


def values(table: Table, **kwargs) -> list[float]:
    return sorted(read(table, **kwargs)["x"])


def test_a_replaced_day_holds_the_new_rows_and_other_days_stay(table):
    replace_days(table, [MONDAY], rows(1, 2), metadata={})
    replace_days(table, [TUESDAY], rows(3, day=TUESDAY), metadata={})

    replace_days(table, [MONDAY], rows(9), metadata={})

    assert values(table) == [3, 9]
    assert days_in(table) == [MONDAY, TUESDAY]


def test_an_old_version_stays_readable(table):
    old = replace_days(table, [MONDAY], rows(1), metadata={})
    replace_days(table, [MONDAY], rows(2), metadata={})

    assert values(table, version=old) == [1]


def test_old_versions_are_kept_for_a_century(tmp_path):
    table = Table(str(tmp_path), "pumps", "telemetry")
    replace_days(table, [MONDAY], rows(1), metadata={})

    configuration = engine.DeltaTable(table.uri).metadata().configuration

    assert configuration["delta.logRetentionDuration"] == "interval 36500 days"
    assert configuration["delta.deletedFileRetentionDuration"] == "interval 36500 days"


def test_several_days_change_in_one_version(table):
    both = pa.concat_tables([rows(1), rows(2, day=TUESDAY)])

    version = replace_days(table, [MONDAY, TUESDAY], both, metadata={})

    assert version == 1  # 0 is the empty table
    assert values(table, first_day=TUESDAY) == [2]
    assert values(table, last_day=MONDAY) == [1]


def test_a_day_can_be_emptied(table):
    replace_days(table, [MONDAY], rows(1), metadata={})

    replace_days(table, [MONDAY], rows(), metadata={})

    assert days_in(table) == []


def test_a_commit_carries_what_its_writer_said(table):
    replace_days(table, [MONDAY], rows(1), metadata={"run_id": "r7"})

    assert DeltaTable(table.uri).history(1)[0]["run_id"] == "r7"


def test_a_table_that_nobody_wrote_is_empty(table):
    assert current_version(table) is None
    assert days_in(table) == []
    assert list(read(table, columns=["x"])) == ["x"]


def test_read_times_are_utc_nanoseconds(table):
    replace_days(table, [MONDAY], rows(1), metadata={})

    assert str(read(table)["timestamp"].dtype) == "datetime64[ns, UTC]"


def test_a_row_outside_the_replaced_days_is_refused(table):
    with pytest.raises(DataError, match="rows of 2024-01-02 came with a replacement of 2024-01-01"):
        replace_days(table, [MONDAY], rows(1, day=TUESDAY), metadata={})


def test_a_change_of_type_is_refused_with_the_fix(table):
    replace_days(table, [MONDAY], rows(1), metadata={})
    text = rows(1).set_column(2, "x", pa.array(["one"]))

    with pytest.raises(DataError, match=r"holds numbers and would hold text; rename"):
        replace_days(table, [MONDAY], text, metadata={})


def test_a_new_column_is_missing_in_older_days(table):
    replace_days(table, [MONDAY], rows(1), metadata={})
    wider = rows(2, day=TUESDAY).append_column("y", pa.array([5.0], pa.float32()))

    replace_days(table, [TUESDAY], wider, metadata={})

    assert read(table, last_day=MONDAY)["y"].isna().all()


def test_an_unknown_version_is_refused_by_number(table):
    replace_days(table, [MONDAY], rows(1), metadata={})

    with pytest.raises(DataError, match="at version 99 cannot be read"):
        read(table, version=99)


@pytest.mark.parametrize("first", [[], [0.5]], ids=["into an empty day", "over old rows"])
def test_a_decision_from_an_old_version_of_the_day_is_refused(table, first):
    base = replace_days(table, [MONDAY], rows(*first), metadata={})
    replace_days(table, [MONDAY], rows(1), metadata={}, based_on=base)

    with pytest.raises(TableConflict, match="another writer changed the same days first"):
        replace_days(table, [MONDAY], rows(2), metadata={}, based_on=base)

    assert values(table) == [1]


def test_a_change_of_another_day_is_no_conflict(table):
    base = replace_days(table, [MONDAY], rows(1), metadata={})
    replace_days(table, [TUESDAY], rows(2, day=TUESDAY), metadata={}, based_on=base)

    replace_days(table, [MONDAY], rows(3), metadata={}, based_on=base)

    assert values(table) == [2, 3]


def test_appended_rows_are_laid_out_by_the_tables_schema(root):
    ingestions = Table(root, "pumps", "ingestions")

    append(ingestions, [{"date": MONDAY, "verdict": "failed"}])
    append(ingestions, [{"date": MONDAY, "verdict": "validated", "accepted": 3}])

    stored = read(ingestions).sort_values("verdict")
    assert list(stored["verdict"]) == ["failed", "validated"]
    assert stored["accepted"].max() == 3


@pytest.mark.integration
@pytest.mark.usefixtures("s3_root")
def test_a_store_that_fails_is_an_outage_with_the_fix():
    with pytest.raises(OutageError, match=r"NoSuchBucket.*check the storage root") as caught:
        current_version(Table("s3://never-made", "pumps", "telemetry"))

    assert "\n" not in str(caught.value)


def test_losing_to_other_writers_for_good_is_an_outage_with_the_fix(tmp_path, monkeypatch):
    def lose(*_, **__):
        raise CommitFailedError

    table = Table(str(tmp_path), "pumps", "telemetry")
    replace_days(table, [MONDAY], rows(1), metadata={})
    monkeypatch.setattr(engine, "write_deltalake", lose)
    monkeypatch.setattr("pipeline.retrying._FIRST_WAIT_S", 0)

    with pytest.raises(OutageError, match=r"12 times in a row.*fewer runs"):
        replace_days(table, [MONDAY], rows(2), metadata={})


def _write(root: str, number: int, together) -> None:
    together.wait()
    day = date(2024, 1, 1 + number % 2)
    replace_days(
        Table(root, "pumps", "telemetry"), [day], rows(*[number] * 5, day=day), metadata={}
    )
    append(Table(root, "pumps", "ingestions"), [{"date": day, "run_id": str(number)}])


def test_processes_that_write_at_once_lose_and_double_nothing(root):
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(6)
    writers = [context.Process(target=_write, args=(root, n, together)) for n in range(6)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)

    assert [writer.exitcode for writer in writers] == [0] * 6
    stored = read(Table(root, "pumps", "telemetry"))
    assert list(stored.groupby("timestamp")["x"].agg(["count", "nunique"]).to_numpy().ravel()) == [
        5, 1, 5, 1,
    ]  # fmt: skip
    assert sorted(read(Table(root, "pumps", "ingestions"))["run_id"]) == list("012345")


def attempts(root) -> Table:
    return Table(root, "pumps", "scorings")


def test_rows_of_attempts_are_numbered_by_the_version_they_make(root):
    table = attempts(root)

    for clock in (3, 1, 2):
        at = datetime(2024, 1, clock, tzinfo=UTC)
        version = append(table, [{"date": MONDAY, "scored_at": at, "run_id": f"r{clock}"}])
        assert read(table)["commit"].max() == version == current_version(table)

    assert list(in_order(read(table), "scored_at")["run_id"]) == ["r3", "r1", "r2"]


def test_the_order_of_attempts_outlives_compaction(tmp_path):
    table = attempts(str(tmp_path))
    for number in range(6):
        append(table, [{"date": MONDAY, "run_id": f"r{number}"}])

    assert compact(table) == 6

    assert list(in_order(read(table), "scored_at")["run_id"]) == [f"r{n}" for n in range(6)]


def test_rows_of_an_earlier_release_come_first_by_their_time(tmp_path):
    table, clock = attempts(str(tmp_path)), datetime(2024, 1, 9, tzinfo=UTC)
    schema = pa.schema([f for f in SCHEMAS["scorings"] if f.name != "commit"])
    for day, name in ((8, "second"), (7, "first")):
        row = {"date": MONDAY, "scored_at": clock.replace(day=day), "run_id": name}
        append(table, pa.Table.from_pylist([row], schema=schema))
    assert read(table, columns=["commit"])["commit"].isna().all()

    append(table, [{"date": MONDAY, "scored_at": clock.replace(day=1), "run_id": "third"}])

    found = in_order(read(table, columns=["scored_at", "commit", "run_id"]), "scored_at")
    assert list(found["run_id"]) == ["first", "second", "third"]


def attempt_many(root: str, name: str) -> None:
    for number in range(5):
        append(attempts(root), [{"date": MONDAY, "run_id": f"{name}-{number}"}])


def test_attempts_of_many_writers_at_once_keep_the_order_of_each_writer(tmp_path):
    root = str(tmp_path)
    append(attempts(root), [{"date": MONDAY, "run_id": "the table is there"}])
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=attempt_many, args=(root, name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    found = in_order(read(attempts(root)), "scored_at")

    assert len(found) == 21
    assert found["commit"].between(1, 21).all()
    for name in "abcd":
        own = found["run_id"][found["run_id"].str.startswith(f"{name}-")]
        assert list(own) == [f"{name}-{number}" for number in range(5)]


def test_of_many_who_append_behind_one_version_one_does(root):
    """A compare-and-set: on a local path and on a real S3 server."""
    ledger = Table(root, "pumps", "ledger")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            behind = current_version(ledger)
            answers = list(pool.map(lambda who, at=behind: _added(ledger, who, at), range(24)))
            assert answers.count("added") == 1

    assert len(read(ledger)) == 2


def _added(ledger: Table, who: int, behind: int | None) -> str:
    try:
        append_behind(ledger, [{"date": MONDAY, "sequence": 1, "who": str(who)}], behind)
    except TableConflict:
        return "late"
    return "added"
