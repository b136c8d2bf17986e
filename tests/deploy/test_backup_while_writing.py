"""A backup that others write into: what comes out of it is one version of each table."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from deploy.backup import copying, creating, databases
from deploy.backup.creating import create
from deploy.backup.databases import Server
from deploy.backup.errors import BackupError
from deploy.backup.manifest import BackupManifest, FileEntry
from deploy.backup.places import Place, place_at
from deploy.backup.restoring import restore
from deploy.backup.sources import Sources
from deploy.backup.trust import ManifestTrust
from pipeline import tables
from pipeline.ledger.keys import new_private_key
from pipeline.tables import Table, upkeep
from tests.builders import days

DAYS = days(6)
KEY = new_private_key()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Writer:
    """Replaces all days of a table by rows that carry one number; the next call, the next number.

    So a reader can check: at any version every row has the same number, and every day has a row.
    """

    table: Table
    commits: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, *, up_to: int | None = None) -> None:
        with self.lock:
            if up_to is not None and self.commits >= up_to:
                return
            numbers = [self.commits] * len(DAYS)
            rows = pa.table({"date": DAYS, "number": numbers})
            tables.replace_days(self.table, DAYS, rows, metadata={})
            self.commits += 1


@pytest.fixture
def writer(root: str) -> Writer:
    made = Writer(Table(f"{root}/lake", "press", "scores"))
    for number in range(4):
        made.write()
        if number in (1, 2):
            DeltaTable(made.table.uri).create_checkpoint()  # replaces `_last_checkpoint`
    return made


@pytest.fixture
def sources(root: str, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Sources:
    def dump(_: Server, name: str, target: Place) -> FileEntry | None:
        target.write_at_once(f"databases/{name}.dump", b"dump")
        return copying.measure(target, f"databases/{name}.dump")

    monkeypatch.setattr(databases, "dump", dump)
    monkeypatch.setattr(databases, "server_version", lambda _: "18.6")
    for nothing in ("roles_in", "sessions", "missing_roles", "filled_databases"):
        monkeypatch.setattr(databases, nothing, lambda *_: ())
    monkeypatch.setattr(databases, "restore", lambda *_: None)
    assert writer.commits  # there is a lake
    return Sources(Server("postgresql://u@h"), ("mlflow",), places(root))


def places(root: str) -> dict[str, Place]:
    return {name: place_at(f"{root}/{name}", os.environ, "X") for name in ("lake", "mlflow")}


def create_quietly(sources: Sources, root: str) -> tuple[Place, BackupManifest]:
    backup = place_at(f"{root}/backup", os.environ, "X")
    return backup, create(sources, backup, now=NOW, say=lambda _: None, key=KEY)


def before_each_copy(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], None]) -> None:
    copy = copying.copy

    def interrupted(
        source: Place, name: str, target: Place, *, limit: int | None = None
    ) -> FileEntry | None:
        happens(name)
        return copy(source, name, target, limit=limit)

    monkeypatch.setattr(copying, "copy", interrupted)


def test_tables_written_during_the_backup_come_out_at_one_version(
    root, writer, sources, monkeypatch
):
    before_each_copy(monkeypatch, lambda _: writer.write(up_to=9))

    backup, manifest = create_quietly(sources, root)

    version = manifest.tables["press/scores"]
    copied = replace(writer.table, root=f"{backup.uri}/stores/lake")
    assert tables.current_version(writer.table) == 9  # the writer was not held up
    assert tables.current_version(copied) == version == 4
    for past in range(1, version + 1):
        rows = tables.read(copied, version=past, keep_date=True)
        assert sorted(rows["date"]) == DAYS
        assert set(rows["number"]) == {past - 1}


def test_what_was_copied_goes_on_as_if_nothing_had_happened(root, writer, sources, monkeypatch):
    before_each_copy(monkeypatch, lambda _: writer.write(up_to=9))
    backup, manifest = create_quietly(sources, root)

    trust = ManifestTrust((KEY.public,))
    restore(sources, backup, trust=trust, replace=True, say=lambda _: None)
    writer.write()

    assert tables.current_version(writer.table) == manifest.tables["press/scores"] + 1
    assert set(tables.read(writer.table)["number"]) == {9}


def test_housekeeping_during_the_backup_costs_nothing(root, writer, sources, monkeypatch):
    def tidy(_: str) -> None:
        if writer.commits < 7:
            writer.write(up_to=7)
            upkeep.compact(writer.table)
            yesterday = datetime.now(UTC) - timedelta(days=1)
            upkeep.vacuum(writer.table, before=yesterday, needed=[])

    before_each_copy(monkeypatch, tidy)

    backup, manifest = create_quietly(sources, root)

    copied = replace(writer.table, root=f"{backup.uri}/stores/lake")
    assert set(tables.read(copied)["number"]) == {manifest.tables["press/scores"] - 1}


def test_a_table_that_loses_its_files_stops_the_backup(root, sources, monkeypatch):
    def destroy(name: str) -> None:
        if name.endswith(".parquet") and "_delta_log" not in name:
            sources.stores["lake"].filesystem.delete_file(sources.stores["lake"].path(name))

    before_each_copy(monkeypatch, destroy)

    with pytest.raises(BackupError, match=r"press/scores at version 4 names \d files that are not"):
        create_quietly(sources, root)
    assert not place_at(f"{root}/backup", os.environ, "X").exists("manifest.json")


def test_a_table_made_during_the_backup_is_not_in_it(root, writer, sources, monkeypatch):
    young = Writer(replace(writer.table, name="drift"))
    before_each_copy(monkeypatch, lambda _: young.write(up_to=2))

    backup, manifest = create_quietly(sources, root)

    assert set(manifest.tables) == {"press/scores"}
    assert tables.current_version(replace(young.table, root=f"{backup.uri}/stores/lake")) is None


def test_a_promotion_between_tables_and_registry_is_noticed(root, writer, sources, monkeypatch):
    ledger, dumps, dump = Writer(replace(writer.table, name="ledger")), [], databases.dump

    def promoting(server: Server, name: str, target: Place) -> FileEntry:
        dumps.append(name)
        if len(dumps) == 1:
            ledger.write()
        return dump(server, name, target)

    monkeypatch.setattr(databases, "dump", promoting)

    _, manifest = create_quietly(sources, root)

    assert dumps == ["mlflow", "mlflow"]
    assert manifest.tables["press/ledger"] == tables.current_version(ledger.table)


def test_promotions_without_end_are_said_to_be_in_the_way(root, writer, sources, monkeypatch):
    ledger, dump = Writer(replace(writer.table, name="ledger")), databases.dump

    def promoting(server: Server, name: str, target: Place) -> FileEntry:
        ledger.write()
        return dump(server, name, target)

    monkeypatch.setattr(databases, "dump", promoting)

    with pytest.raises(BackupError, match="during each of 5 attempts"):
        create_quietly(sources, root)


def test_the_registry_is_dumped_after_the_tables_were_chosen_and_airflow_before(
    root, sources, monkeypatch
):
    order: list[str] = []
    dump, cut = databases.dump, creating.cut_tables
    monkeypatch.setattr(
        databases, "dump", lambda s, name, t: (order.append(name), dump(s, name, t))[1]
    )
    monkeypatch.setattr(creating, "cut_tables", lambda lake: (order.append("cut"), cut(lake))[1])

    create_quietly(replace(sources, databases=("airflow", "mlflow", "plimsoll")), root)

    assert order == ["airflow", "plimsoll", "cut", "mlflow", "cut"]
