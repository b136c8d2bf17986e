"""The table `days` saves reading and never changes what is known of a day."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from pipeline import tables
from pipeline.data.audit import Audit
from pipeline.data.fingerprint import Difference
from pipeline.data.label import Label
from pipeline.errors import UnprovenAnswer
from pipeline.ledger import keyring, keys
from pipeline.settings import Deployment
from pipeline.steps.open_items import open_items
from pipeline.store import days as days_table
from pipeline.store.audits import add_audits
from pipeline.store.day_records import DayRecord, read_day_records
from pipeline.store.days import day_records, records_from_tables, settle_days
from pipeline.store.ingestions import Attempt, record
from pipeline.store.labels import add_labels
from pipeline.store.upkeep import tidy_tables
from pipeline.tables import Table
from pipeline.tables.schemas import SCHEMAS
from pipeline.tables.upkeep import remove_days
from tests.builders import days, make_spec, moment, stored_in
from tests.steps.asked import put_incident

D = days(120)  # two quarters
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def here(tmp_path) -> Deployment:
    return replace(stored_in(tmp_path / "lake"), home=tmp_path / "home")


class Lake:
    """The tables, written as the steps write them, at days that come by chance."""

    def __init__(self, here: Deployment, seed: int) -> None:
        self.here, self.chance, self.clock = here, random.Random(seed), NOW  # noqa: S311 - dice of a test

    def change(self) -> None:
        """Any one change."""
        changes: tuple[Callable[[], object], ...] = (
            self.ingest,
            self.ingest,
            self.score,
            self.score,
            self.flag,
            self.flag,
            self.label,
            self.sample,
            self.take_back,
            self.compact,
            lambda: settle_days(self.here, "pumps"),
        )
        self.clock += timedelta(minutes=1)
        self.chance.choice(changes)()

    def day(self) -> date:
        return self.chance.choice(D[::4])

    def ingest(self) -> None:
        verdict = self.chance.choice(["validated", "validated", "quarantined", "failed", "empty"])
        changed = self.chance.choice([None, Difference(0, 0, 1)])
        attempt = Attempt(self.day(), self.clock, "r", verdict, verdict, difference=changed)
        accepted = 72 if verdict == "validated" else 0
        record(self.here, "pumps", [replace(attempt, accepted=accepted)])

    def score(self) -> None:
        day, verdict = self.day(), self.chance.choice(["scored", "scored", "failed", "empty"])
        row = {"date": day, "scored_at": self.clock, "verdict": verdict, "reason": "why"}
        tables.append(self.table("scorings"), [row])
        rows = [{"date": day, "role": "champion"}] if verdict == "scored" else []
        content = pa.Table.from_pylist(rows, schema=SCHEMAS["scores"])
        tables.replace_days(self.table("scores"), [day], content, metadata={})

    def flag(self) -> None:
        kind = self.chance.choice(["anomaly", "anomaly", "new regime"])
        status = self.chance.choice(["raised", "raised", "withdrawn"])
        start = moment(self.day(), self.chance.randrange(20))
        rows, entity = self.chance.randrange(1, 5), self.chance.choice("ab")
        put_incident(self.here, start, rows=rows, entity=entity, kind=kind, status=status)

    def label(self) -> None:
        start = moment(self.day(), self.chance.randrange(20))
        end, entity = start + timedelta(hours=self.chance.randrange(60)), self.chance.choice("ab")
        label = Label(start, end, entity, "incident", "", "ann", self.clock)
        add_labels(self.here, "pumps", [label])

    def sample(self) -> None:
        start = moment(self.day(), self.chance.randrange(20))
        audit = Audit(str(start), "a", start, start + timedelta(hours=1), 0.5, self.clock)
        add_audits(self.here, "pumps", [audit])

    def take_back(self) -> None:
        day = self.day()
        for name in ("scores", "incidents"):
            remove_days(self.table(name), [day], metadata={})
        gone = Attempt(day, self.clock, "r", "withdrawn", "withdrawn")
        record(self.here, "pumps", [gone])

    def compact(self) -> None:
        tidy_tables(self.here, "pumps", before=NOW, needed_telemetry=(), dry_run=False)

    def table(self, name) -> Table:
        return Table(self.here.storage, "pumps", name)


def from_the_tables(here: Deployment) -> dict[date, DayRecord]:
    found = read_day_records(here, "pumps", date(2023, 1, 1), date(2025, 1, 1))
    return {day: each for day, each in found.items() if each != DayRecord()}


def known(here: Deployment) -> dict[date, DayRecord]:
    return {day: each for day, each in day_records(here, "pumps").items() if each != DayRecord()}


def read_again(monkeypatch) -> list[date]:
    """The days that are read from the tables from now on."""
    found, whole = [], days_table.read_day_records

    def noting(here, detector, first, last):
        found.extend([first, last])
        return whole(here, detector, first, last)

    monkeypatch.setattr(days_table, "read_day_records", noting)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_the_tables_the_records_are_those_of_the_tables(here, seed):
    lake = Lake(here, seed)
    for _ in range(40):
        lake.change()
        assert known(here) == from_the_tables(here)

    with_rows = open_items(here, make_spec(), now=lake.clock)
    shutil.rmtree(Path(here.storage, "pumps", "days"), ignore_errors=True)

    assert open_items(here, make_spec(), now=lake.clock) == with_rows


def test_a_settled_day_is_not_read_again(here, monkeypatch):
    lake = Lake(here, 1)
    for _ in range(20):
        lake.change()
    settle_days(here, "pumps")
    before, read = known(here), read_again(monkeypatch)

    assert known(here) == before
    assert settle_days(here, "pumps") == 0
    assert read == []


def test_only_the_days_that_changed_are_read_and_only_their_quarter_written(here, monkeypatch):
    lake = Lake(here, 1)
    record(here, "pumps", [attempt(day) for day in D])
    settle_days(here, "pumps")
    winter = files(lake, date(2024, 1, 1))
    record(here, "pumps", [attempt(D[-1])])
    read = read_again(monkeypatch)

    assert settle_days(here, "pumps") == 1

    assert read == [D[-1], D[-1]]
    assert files(lake, date(2024, 1, 1)) == winter


def test_the_lake_of_an_earlier_release_is_settled_once(here):
    record(here, "pumps", [attempt(day) for day in D])

    assert settle_days(here, "pumps") == len(D)
    assert settle_days(here, "pumps") == 0
    assert known(here) == from_the_tables(here)


def test_a_row_of_other_files_counts_for_nothing(here):
    record(here, "pumps", [attempt(D[0])])
    content = '{"delivery": {"standing": "empty"}}'
    row = {"date": D[0], "day": D[0], "basis": "of other files", "content": content}
    tables.append(Table(here.storage, "pumps", "days"), [row])

    assert known(here) == from_the_tables(here)


def test_a_day_that_is_in_no_table_any_more_loses_its_row(here):
    lake = Lake(here, 1)
    for day in D[:2]:
        lake.day = lambda day=day: day
        lake.score()
    settle_days(here, "pumps")
    for name in ("scores", "scorings"):
        remove_days(lake.table(name), [D[0]], metadata={})
    settle_days(here, "pumps")

    assert set(day_records(here, "pumps")) == {D[1]}
    assert list(tables.read(lake.table("days"))["day"]) == [D[1]]


def test_of_two_writers_at_once_both_have_their_days_settled(here, monkeypatch):
    record(here, "pumps", [attempt(D[0])])
    settle_days(here, "pumps")
    record(here, "pumps", [attempt(D[1])])
    replaced, other = tables.replace_days, [lambda: settle_days(here, "pumps")]

    def crossed(*args, **kwargs):
        if other:
            then = other.pop()
            record(here, "pumps", [attempt(D[2])])
            then()
        return replaced(*args, **kwargs)

    monkeypatch.setattr(tables, "replace_days", crossed)
    settle_days(here, "pumps")
    monkeypatch.undo()
    read = read_again(monkeypatch)

    assert known(here) == from_the_tables(here)
    assert read == []


def test_a_writer_that_always_comes_second_leaves_its_days_to_the_next_step(here, monkeypatch):
    record(here, "pumps", [attempt(D[0])])

    def lost(*_args, **_kwargs):
        raise days_table.TableConflict

    with monkeypatch.context() as patch:
        patch.setattr(tables, "replace_days", lost)
        assert settle_days(here, "pumps") == 0

    assert known(here) == from_the_tables(here)
    assert settle_days(here, "pumps") == 1


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no Parquet")])
def test_a_damaged_file_is_made_again(here, damage):
    record(here, "pumps", [attempt(day) for day in D])
    settle_days(here, "pumps")
    damage(next(Path(here.storage, "pumps", "days").glob("date=*/*.parquet")))

    assert known(here) == from_the_tables(here)
    assert settle_days(here, "pumps") == len(D)
    assert settle_days(here, "pumps") == 0


def test_a_label_is_proven_again_once_the_key_is_replaced(here):
    Lake(here, 1).label()
    settle_days(here, "pumps")
    keyring.rotate(here.home, "answers", keys.new_private_key())

    with pytest.raises(UnprovenAnswer):
        day_records(here, "pumps")


def test_a_label_without_proof_fails_no_step_but_whoever_reads_it(here):
    lake = Lake(here, 1)
    lake.label()
    forged = {"date": NOW.date(), "start": NOW, "end": NOW, "verdict": "normal", "author": "eve"}
    tables.append(lake.table("labels"), [forged | {"created_at": NOW}])

    with capture_logs() as logs:
        assert settle_days(here, "pumps") == 0

    assert [line["event"] for line in logs] == ["days_not_settled"]
    with pytest.raises(UnprovenAnswer, match="not signed"):
        day_records(here, "pumps")


def test_a_row_holds_no_name_and_no_word_of_a_person(here):
    lake = Lake(here, 1)
    label = Label(moment(D[0], 3), moment(D[0], 5), "a", "incident", "a secret", "ann", NOW)
    add_labels(here, "pumps", [label])
    settle_days(here, "pumps")

    (content,) = tables.read(lake.table("days"))["content"]
    assert set(json.loads(content)["judged"][0]) == {
        "start", "end", "entity", "verdict", "created_at"
    }  # fmt: skip


def attempt(day: date) -> Attempt:
    return Attempt(day, NOW, "r", "validated", "validated", accepted=72)


def files(lake: Lake, quarter: date) -> list[str]:
    return days_table.files_by_day(lake.table("days"))[quarter]


def test_the_proof_of_all_days_believes_no_record(here):
    record(here, "pumps", [Attempt(D[0], NOW, "r", "failed", "failed", "no answer")])
    settle_days(here, "pumps")
    where = Table(here.storage, "pumps", "days")
    rows = tables.read(where, keep_date=True).to_dict("records")
    lying = [{**row, "content": row["content"].replace("failed", "empty")} for row in rows]
    content = pa.Table.from_pylist(lying, schema=SCHEMAS["days"])
    tables.replace_days(where, [rows[0]["date"]], content, metadata={})

    assert day_records(here, "pumps")[D[0]].delivery.standing == "empty"
    assert records_from_tables(here, "pumps")[D[0]].delivery.standing == "failed"
