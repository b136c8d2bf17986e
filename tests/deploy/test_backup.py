"""Refusals and checks of a backup, and its secrets; without a server."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.backup import __main__ as command
from deploy.backup import creating, databases
from deploy.backup.creating import create
from deploy.backup.cut import newest_whole_version
from deploy.backup.databases import Server
from deploy.backup.errors import BackupError
from deploy.backup.manifest import NAME, BackupManifest, FileEntry, _canonical, from_json, to_json
from deploy.backup.names import refuse_clashes
from deploy.backup.places import WORKERS, in_parallel, place_at
from deploy.backup.restoring import restore
from deploy.backup.sources import Sources, sources_of
from deploy.backup.trust import ManifestTrust
from deploy.backup.verifying import verify
from pipeline.ledger import keyring
from pipeline.ledger.keys import PublicKey, new_private_key
from tests.refusing import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

REALLY_RESTORE = databases.restore  # before a test has a quiet one in its place
KEY, STRANGER = new_private_key(), new_private_key()
OURS = ManifestTrust((KEY.public,))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANIFEST = BackupManifest(
    created_at=NOW.isoformat(),
    versions={"plimsoll": "abc"},
    databases=("airflow", "mlflow"),
    roles=("plimsoll",),
    stores=("lake",),
    tables={"press/scores": 3},
    files={f"databases/{n}.dump": FileEntry(size=3, sha256="00") for n in ("airflow", "mlflow")},
)


@dataclass
class QuietServer:
    """Answers for a PostgreSQL with nothing in it; a test changes an answer."""

    sessions: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> QuietServer:
    quiet = QuietServer()

    def dump(_: Server, name: str, target) -> FileEntry:
        target.write_at_once(f"databases/{name}.dump", name.encode())
        return creating.copying.measure(target, f"databases/{name}.dump")

    monkeypatch.setattr(databases, "dump", dump)
    monkeypatch.setattr(databases, "server_version", lambda _: "18.6")
    monkeypatch.setattr(databases, "roles_in", lambda *_: ("plimsoll",))
    monkeypatch.setattr(databases, "sessions", lambda *_: quiet.sessions)
    monkeypatch.setattr(databases, "missing_roles", lambda *_: quiet.roles)
    monkeypatch.setattr(databases, "filled_databases", lambda *_: quiet.filled)
    monkeypatch.setattr(databases, "restore", lambda _, name, *__: quiet.restored.append(name))
    return quiet


@pytest.fixture
def sources(tmp_path: Path, server: QuietServer) -> Sources:
    assert not server.restored
    for store in ("lake", "mlflow"):
        file = tmp_path / store / "7" / "artifact"
        file.parent.mkdir(parents=True)
        file.write_text(store * 1000)
    stores = {name: place_at(str(tmp_path / name), {}, "X") for name in ("lake", "mlflow")}
    return Sources(Server("postgresql://u@h"), ("airflow", "mlflow"), stores)


@pytest.fixture
def backup(tmp_path: Path, sources: Sources):
    place = place_at(str(tmp_path / "backup"), {}, "X")
    create(sources, place, now=NOW, say=lambda _: None, key=KEY)
    return place


def quietly_restore(
    sources: Sources, backup, *, replace: bool = True, trust: ManifestTrust = OURS
) -> BackupManifest:
    return restore(sources, backup, trust=trust, replace=replace, say=lambda _: None)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_manifest_survives_its_file():
    assert from_json(to_json(MANIFEST, KEY), "here", OURS) == MANIFEST


def test_a_manifest_that_was_edited_is_damaged():
    edited = to_json(MANIFEST, KEY).replace(b'"size": 3', b'"size": 4')

    with pytest.raises(BackupError, match=rf"changed after {KEY.public.id} had signed it"):
        from_json(edited, "here", OURS)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"7", b"\xff"])
def test_a_file_that_is_no_manifest_is_damaged(text: bytes):
    with pytest.raises(BackupError, match="is not a manifest"):
        from_json(text, "here", OURS)


def test_a_manifest_of_another_format_names_the_release_that_reads_it():
    other = to_json(MANIFEST, KEY).replace(b'"format": 2', b'"format": 9')

    with pytest.raises(BackupError, match=r"has format 9.*release that wrote it: abc"):
        from_json(other, "here", OURS)


@pytest.mark.parametrize(
    ("names", "version"),
    [
        ([], None),
        (["_commit_1.json.tmp", "_last_checkpoint"], None),
        (["00000000000000000000.json"], 0),
        ([f"{n:020}.json" for n in (0, 1, 2)], 2),
        # 3 came while the listing was made, and was passed over; 4 came later.
        ([f"{n:020}.json" for n in (0, 1, 2, 4)], 2),
        # A log whose oldest commits were cleared begins at a checkpoint.
        (["00000000000000000007.checkpoint.parquet", *(f"{n:020}.json" for n in (7, 8))], 8),
    ],
)
def test_the_newest_whole_version_has_every_commit(names: list[str], version: int | None):
    assert newest_whole_version(names) == version


def test_work_in_parallel_keeps_its_order_and_does_not_run_ahead():
    begun = 0

    def numbers() -> Iterator[int]:
        nonlocal begun
        while True:
            yield begun
            begun += 1

    squares = in_parallel(lambda n: n * n, numbers())

    assert [next(squares) for _ in range(3)] == [0, 1, 4]
    assert begun < 6 * WORKERS


def test_what_is_restored_is_what_was_backed_up(tmp_path, sources, backup, server):
    before = {name: content(tmp_path / name) for name in ("lake", "mlflow")}
    (tmp_path / "lake" / "7" / "artifact").write_text("spoiled")
    (tmp_path / "mlflow" / "stray").write_text("made later")

    quietly_restore(sources, backup)

    assert {name: content(tmp_path / name) for name in before} == before
    assert server.restored == ["airflow", "mlflow"]


def test_a_backup_says_what_made_it_and_what_it_holds(backup):
    manifest = verify(backup, OURS)

    assert manifest.created_at == NOW.isoformat()
    assert set(manifest.versions) == {"plimsoll", "airflow", "mlflow", "postgres"}
    assert set(manifest.files) == {
        "databases/airflow.dump",
        "databases/mlflow.dump",
        "stores/lake/7/artifact",
        "stores/mlflow/7/artifact",
    }


def test_a_backup_on_this_machine_is_for_its_owner_only(backup):
    assert Path(backup.root).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["flip", "shorten", "remove"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(
    damage, tmp_path, sources, backup, server
):
    file = Path(backup.root) / "stores" / "lake" / "7" / "artifact"
    if damage == "remove":
        file.unlink()
    else:
        held = file.read_bytes()
        file.write_bytes(held[:-1] if damage == "shorten" else b"X" + held[1:])
    before = content(tmp_path / "lake")

    with pytest.raises(BackupError, match=r"stores/lake/7/artifact\). Nothing was restored"):
        quietly_restore(sources, backup)

    assert content(tmp_path / "lake") == before
    assert server.restored == []


def test_a_backup_that_was_broken_off_is_no_backup(tmp_path, sources, monkeypatch):
    place = place_at(str(tmp_path / "half"), {}, "X")
    monkeypatch.setattr(
        creating, "_refuse_torn", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        create(sources, place, now=NOW, say=lambda _: None, key=KEY)

    with pytest.raises(BackupError, match="broken off before it was complete"):
        quietly_restore(sources, place)
    with pytest.raises(BackupError, match="holds files and no manifest"):
        create(sources, place, now=NOW, say=lambda _: None, key=KEY)


def test_a_backup_never_goes_on_top_of_another(sources, backup):
    with pytest.raises(BackupError, match="holds a backup; give each backup a folder of its own"):
        create(sources, backup, now=NOW, say=lambda _: None, key=KEY)


def test_what_is_there_is_deleted_only_when_asked(tmp_path, sources, backup, server):
    server.filled = ["airflow"]

    with pytest.raises(BackupError, match=r"database airflow, .*lake, .*give --replace"):
        quietly_restore(sources, backup, replace=False)

    assert (tmp_path / "lake" / "7" / "artifact").exists()
    assert server.restored == []


def test_an_empty_deployment_needs_no_replacing(tmp_path, sources, backup):
    for store in ("lake", "mlflow"):
        (tmp_path / store / "7" / "artifact").unlink()

    quietly_restore(sources, backup, replace=False)

    assert (tmp_path / "lake" / "7" / "artifact").exists()


def test_a_running_deployment_is_not_replaced_under_its_feet(sources, backup, server):
    server.sessions = ["airflow (3)"]

    with pytest.raises(BackupError, match=r"connected to airflow \(3\): stop everything but"):
        quietly_restore(sources, backup)

    assert server.restored == []


def test_a_server_without_the_roles_is_named_them(sources, backup, server):
    server.roles = ["plimsoll_reader"]

    with pytest.raises(BackupError, match="no role plimsoll_reader: let the deployment make"):
        quietly_restore(sources, backup)


def test_a_file_that_changes_between_the_check_and_the_copy_is_noticed(
    sources, backup, monkeypatch
):
    (Path(backup.root) / "stores" / "lake" / "7" / "artifact").write_text("swapped")
    monkeypatch.setattr(
        "deploy.backup.restoring.verify", lambda b, trust: from_json(b.read(NAME), "m", trust)
    )

    with pytest.raises(BackupError, match="changed while it was restored"):
        quietly_restore(sources, backup)


SWAPPED = "DROP ROLE postgres"


def swap_after_the_check(monkeypatch, *files: Path, content: str = SWAPPED) -> None:
    """Write `content` into files of a backup once `verify` has found nothing wrong with it."""

    def check_then_swap(place, trust: ManifestTrust) -> BackupManifest:
        manifest = verify(place, trust)
        for file in files:
            file.write_text(content)
        return manifest

    monkeypatch.setattr("deploy.backup.restoring.verify", check_then_swap)


@pytest.fixture
def given(tmp_path: Path, server: QuietServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that a pg_restore was given, as `databases.restore` really starts it."""
    assert not server.restored
    folder = tmp_path / "given"
    folder.mkdir()
    program = tmp_path / "pg_restore"
    # Once it runs, it exchanges the dumps of the backup before it reads: the last moment there is.
    program.write_text(
        f"#!/bin/sh\nfor dump in '{tmp_path}'/backup/databases/*; do echo bad > $dump; done\n"
        f"cat > '{folder}'/$$\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(databases, "client_program", lambda _: program)
    monkeypatch.setattr(databases, "restore", REALLY_RESTORE)
    return folder


@pytest.mark.parametrize("content", [SWAPPED, "airflow" * 10**6, "airflo", "AIRFLOW", ""])
def test_no_dump_that_was_swapped_after_the_check_reaches_pg_restore(
    content, sources, backup, given, monkeypatch
):
    swap_after_the_check(
        monkeypatch, Path(backup.root) / "databases" / "airflow.dump", content=content
    )

    with pytest.raises(BackupError) as refused:
        quietly_restore(sources, backup)

    told = str(refused.value)
    assert "backup/databases/airflow.dump changed while it was restored: it has " in told
    assert "the manifest lists 7 bytes with the sha256 " in told
    assert "Find out who writes there, verify the backup, then restore again" in told
    assert list(given.iterdir()) == []


def test_a_dump_that_was_taken_away_after_the_check_is_named(sources, backup, given, monkeypatch):
    dump = Path(backup.root) / "databases" / "airflow.dump"
    monkeypatch.setattr(
        "deploy.backup.restoring._restore_store", lambda *_: dump.unlink(missing_ok=True)
    )

    with pytest.raises(BackupError, match=r"airflow.dump changed while it was .*: it is gone, and"):
        quietly_restore(sources, backup)

    assert list(given.iterdir()) == []


def test_a_dump_that_is_swapped_under_a_running_pg_restore_is_not_read(tmp_path, backup, given):
    entry = verify(backup, OURS).files["databases/airflow.dump"]

    databases.restore(Server("postgresql://u@h"), "airflow", backup, entry)

    assert [file.read_text() for file in given.iterdir()] == ["airflow"]
    assert (tmp_path / "backup" / "databases" / "airflow.dump").read_text() == "bad\n"


def test_the_copy_that_pg_restore_gets_is_for_nobody_else(tmp_path, backup, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    entry = verify(backup, OURS).files["databases/airflow.dump"]

    with creating.copying.compared(backup, "databases/airflow.dump", entry) as held:
        assert os.fstat(held.fileno()).st_mode & 0o777 == 0o600
        assert os.fstat(held.fileno()).st_nlink == 0  # a killed restore leaves none behind
        assert list((tmp_path / "temporary").iterdir()) == []
        assert held.read() == b"airflow"


def test_a_temporary_folder_without_room_is_named_before_anything_is_touched(
    tmp_path, sources, backup, given, monkeypatch
):
    monkeypatch.setattr("deploy.backup.copying._room", lambda: 6)
    before = content(tmp_path / "lake")

    with pytest.raises(
        BackupError, match=r"airflow.dump has 7 bytes, .* has room for 6: .*Set TMPDIR to a folder"
    ):
        quietly_restore(sources, backup)

    assert content(tmp_path / "lake") == before
    assert list(given.iterdir()) == []


def test_a_temporary_folder_that_fills_up_meanwhile_is_named(backup, given, monkeypatch):
    full = functools.partial(open, "/dev/full", "w+b")
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    entry = verify(backup, OURS).files["databases/airflow.dump"]

    with pytest.raises(BackupError, match=r"airflow.dump has 7 bytes, .*Set TMPDIR to a folder"):
        databases.restore(Server("postgresql://u@h"), "airflow", backup, entry)

    assert list(given.iterdir()) == []


def test_a_file_that_was_swapped_after_the_check_does_not_stay_where_it_was_restored(
    tmp_path, sources, backup, server, monkeypatch
):
    swap_after_the_check(
        monkeypatch, Path(backup.root) / "stores" / "lake" / "7" / "artifact", content="x" * 10**7
    )

    with pytest.raises(BackupError, match=r"it has more than 4,000 bytes, and the manifest lists"):
        quietly_restore(sources, backup)

    assert content(tmp_path / "lake") == {}
    assert server.restored == []


@pytest.fixture
def keys(tmp_path: Path, sources: Sources) -> Path:
    """The keys of an embedded deployment, in a backup with its other stores: see `keyed`."""
    folder = tmp_path / "keys"
    keyring.create_missing(tmp_path)
    sources.stores["keys"] = place_at(str(folder), {}, "X")
    return folder


@pytest.fixture
def keyed(tmp_path: Path, sources: Sources, keys: Path):
    assert keys.exists()
    place = place_at(str(tmp_path / "keyed"), {}, "X")
    create(sources, place, now=NOW, say=lambda _: None, key=KEY)
    return place


def warnings_of(sources: Sources, backup) -> list[str]:
    told: list[str] = []
    restore(sources, backup, trust=OURS, replace=True, say=told.append)
    return [line for line in told if line.startswith("warning: the keys")]


def test_a_rotation_that_a_restore_undoes_is_told(tmp_path, sources, keys, keyed):
    old = content(keys)
    keyring.rotate(tmp_path, "ledger", new_private_key())
    keyring.rotate(tmp_path, "answers", new_private_key())

    told = warnings_of(sources, keyed)

    assert len(told) == 1
    assert "\n" not in told[0]
    which = f"the keys in {keys} (answers, ledger) are not those of the backup of {NOW.isoformat()}"
    assert which in told[0]
    assert "a rotation made since is undone, and the old private keys sign again" in told[0]
    assert 'run `ledger --rotate --reason "..."`' in told[0]
    assert content(keys) == old
    assert warnings_of(sources, keyed) == []  # now they are those of the backup


def test_a_key_that_the_backup_lacks_is_told_too(sources, keys, keyed):
    (keys / "other.private").write_text("made later")

    assert "(other) are not those of the backup" in warnings_of(sources, keyed)[0]


def test_where_there_are_no_keys_yet_none_are_undone(sources, keys, keyed):
    shutil.rmtree(keys)

    assert warnings_of(sources, keyed) == []


def test_no_password_is_on_a_command_line(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "other")
    server = Server("postgresql://me:p%40ss@db:5432?sslmode=require")

    assert server.dsn("mlflow", secret=False) == "postgresql://me@db:5432/mlflow?sslmode=require"
    assert server.dsn("mlflow") == "postgresql://me:p%40ss@db:5432/mlflow?sslmode=require"
    assert server.environment()["PGPASSWORD"] == "p@ss"


def test_a_password_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "from outside")

    assert Server("postgresql://me@db").environment()["PGPASSWORD"] == "from outside"


def test_the_newest_client_is_used(tmp_path, monkeypatch):
    for name, version in (("old", "15.3 (Debian 15.3-0)"), ("new", "18.6")):
        (tmp_path / name).mkdir()
        program = tmp_path / name / "pg_dump"
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    monkeypatch.setattr(databases.postgres, "binary", lambda name: tmp_path / "new" / name)
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}{os.pathsep}{os.environ['PATH']}")

    assert databases.client_program("pg_dump") == tmp_path / "new" / "pg_dump"


def test_a_missing_variable_is_named():
    environment = {"PLIMSOLL_BACKUP_LAKE": "/lake"}

    with pytest.raises(BackupError, match="PLIMSOLL_BACKUP_MLFLOW is not set"):
        sources_of(environment)


def test_each_place_may_have_its_own_key():
    environment = {
        "AWS_ACCESS_KEY_ID": "all",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_ENDPOINT_URL": "http://store:8333",
        "X_ACCESS_KEY_ID": "mine",
        "X_SECRET_ACCESS_KEY": "m",
    }

    assert place_at("s3://b/p/", environment, "X").options["aws_access_key_id"] == "mine"
    assert place_at("s3://b/p/", environment, "Y").options["aws_access_key_id"] == "all"
    assert place_at("s3://b/p/", environment, "X").path("f") == "b/p/f"


@pytest.mark.parametrize(
    ("uri", "environment", "message"),
    [
        ("gs://bucket", {}, "neither a path nor s3"),
        ("s3://b", {"X_ACCESS_KEY_ID": "k"}, "key without its secret"),
    ],
)
def test_a_place_that_cannot_be_reached_is_named(uri, environment, message):
    with pytest.raises(BackupError, match=message):
        place_at(uri, environment, "X")


def test_the_command_ends_with_one_and_the_fix(tmp_path, capsys):
    assert command.main(["verify", str(tmp_path)]) == 1
    assert "Name the folder of a finished one" in capsys.readouterr().err


def rewritten(backup, change, key=KEY):
    """The manifest changed and signed again."""
    content = json.loads(backup.read(NAME))
    del content["signature"]
    change(content)
    content["signature"] = asdict(key.sign(_canonical(content)))
    (Path(backup.root) / NAME).write_text(json.dumps(content))


def unsigned(backup, change=lambda _: None):
    """The manifest as an earlier release wrote it: with a hash that anybody can make."""
    content = json.loads(backup.read(NAME))
    del content["signature"]
    change(content)
    content["format"] = 1
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (Path(backup.root) / NAME).write_text(json.dumps({**content, "digest": digest}))


def escaping(name):
    """List a file of the lake under another name; its content is in the backup all the same."""

    def change(content):
        path = "stores/lake/7/artifact"
        content["files"][f"stores/lake/{name}"] = content["files"].pop(path)

    return change


ODD = [
    "../../../../outside.txt",
    "a/../../../../../outside.txt",
    "./a",
    "/etc/cron.d/job",
    "a//b",
    "",
    "a/",
    "..\\..\\outside.txt",
    "a\x00b",
    "a\nb",
    "a\ud800b",
    "x" * 2000,
]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("proof", ["signed", "unsigned"])
def test_no_name_in_a_manifest_leads_out_of_its_target(
    name, proof, tmp_path, sources, backup, server
):
    change = escaping(name)
    if proof == "signed":
        rewritten(backup, change)
    else:
        unsigned(backup, change)
    (tmp_path / "outside.txt").write_text("mine")
    before = content(tmp_path)

    with pytest.raises(BackupError, match="could lie outside the backup or be another file"):
        quietly_restore(sources, backup, trust=ManifestTrust(OURS.keys, unsigned=True))

    assert content(tmp_path) == before
    assert server.restored == []


@pytest.mark.parametrize("name", ODD)
def test_no_place_gives_a_path_beyond_itself(name, tmp_path):
    place = place_at(str(tmp_path), {}, "X")

    for use in (place.path, place.below, place.open_output, place.read, place.exists):
        with pytest.raises(BackupError, match="could lie outside"):
            use(name)


@pytest.mark.parametrize("name", ["a", "date=2024-01-01/part-0.parquet", "µ/ü x.json", ".crc"])
def test_a_plain_name_is_a_path_below_the_place(name, tmp_path):
    place = place_at(str(tmp_path), {}, "X")

    assert place.path(name).endswith(name)


@pytest.mark.parametrize(
    "names", [("Press/a", "press/a"), ("\u00e9", "e\u0301"), ("a", "a/b"), ("A", "a/b")]
)
def test_names_that_are_one_elsewhere_are_refused(names):
    with pytest.raises(BackupError, match="are one name on some file systems"):
        refuse_clashes(names, "here")


def test_names_that_differ_pass():
    assert refusal(lambda: refuse_clashes(["a/b", "a/c", "ab", "a-b"], "here")) is None


def test_a_backup_whose_files_clash_is_not_made(tmp_path, sources):
    (tmp_path / "lake" / "7" / "Artifact").write_text("another")
    place = place_at(str(tmp_path / "clash"), {}, "X")

    with pytest.raises(BackupError, match="are one name on some file systems"):
        create(sources, place, now=NOW, say=lambda _: None, key=KEY)

    assert not place.exists(NAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["files"].update({"elsewhere/x": {"size": 1, "sha256": "0"}}), "neither a dum"),
        (lambda c: c["files"].pop("databases/mlflow.dump"), "lists no databases/mlflow.dump"),
        (lambda c: c["stores"].append(".."), "could lie outside the backup"),
        (lambda c: c["databases"].append("../x"), "could lie outside the backup"),
        (lambda c: c.update(tables="x"), "is not a manifest"),
        (lambda c: c["files"].update({"stores/lake/x": 7}), "is not a manifest"),
    ],
    ids=["file of nothing", "no dump", "odd store", "odd database", "tables", "entry"],
)
def test_a_signed_manifest_of_what_no_backup_holds_is_refused(change, message, backup):
    rewritten(backup, change)

    with pytest.raises(BackupError, match=message):
        verify(backup, OURS)


def test_a_file_that_was_added_is_noticed_before_anything_is_touched(sources, backup, server):
    (Path(backup.root) / "stores" / "lake" / "7" / "planted").write_text("x")

    with pytest.raises(BackupError, match=r"1 files are there .*not list \(stores/lake/7/planted"):
        quietly_restore(sources, backup)

    assert server.restored == []


def test_a_manifest_of_another_key_is_refused_by_name(sources, backup, server):
    rewritten(backup, lambda _: None, key=STRANGER)

    with pytest.raises(BackupError) as refused:
        quietly_restore(sources, backup)

    message = str(refused.value)
    assert f"signed by the key {STRANGER.public.id}, and the keys known here are:" in message
    assert f" {KEY.public.id}. On a new host" in message
    assert "--public-key ed25519:" in message
    assert server.restored == []


def test_the_name_of_a_known_key_is_no_signature(backup):
    def claim(content):
        content["signature"]["key"] = KEY.public.id

    rewritten(backup, lambda _: None, key=STRANGER)
    content = json.loads(backup.read(NAME))
    claim(content)
    (Path(backup.root) / NAME).write_text(json.dumps(content))

    with pytest.raises(BackupError, match=rf"changed after {KEY.public.id} had signed it"):
        verify(backup, OURS)


@pytest.mark.parametrize("signature", [None, "", {}, {"key": "x"}, {"key": 1, "value": 2}, []])
def test_a_manifest_whose_signature_was_taken_out_is_refused(signature, backup):
    content = json.loads(backup.read(NAME))
    content["signature"] = signature
    (Path(backup.root) / NAME).write_text(json.dumps(content))

    for trust in (OURS, ManifestTrust(OURS.keys, unsigned=True)):
        with pytest.raises(BackupError, match="has no signature, and a backup of this release has"):
            verify(backup, trust)


def test_a_backup_of_an_earlier_release_is_accepted_only_when_it_is_said(sources, backup, server):
    unsigned(backup)

    with pytest.raises(BackupError, match=r"is not signed, as backups of earlier .* --unsigned"):
        quietly_restore(sources, backup)
    assert server.restored == []

    quietly_restore(sources, backup, trust=ManifestTrust((), unsigned=True))
    assert server.restored == ["airflow", "mlflow"]


def test_saying_so_does_not_let_a_signed_one_pass_unproven(backup):
    with pytest.raises(BackupError, match="the keys known here are: none"):
        verify(backup, ManifestTrust((), unsigned=True))


def test_whoever_makes_a_backup_is_shown_the_key(tmp_path, sources):
    message: list[str] = []

    create(sources, place_at(str(tmp_path / "b"), {}, "X"), now=NOW, say=message.append, key=KEY)

    assert message[-1].startswith(f"signed by the key {KEY.public.id}; keep its public half apart")
    assert message[-1].endswith(KEY.public.written)
    assert KEY.written not in "".join(message)


def test_the_key_that_was_kept_proves_a_backup_on_a_host_without_keys(
    backup, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path / "new host"))

    assert command.main(["verify", backup.root]) == 1
    assert "the keys known here are: none" in capsys.readouterr().err
    assert command.main(["verify", backup.root, "--public-key", STRANGER.public.written]) == 1
    assert f"the keys known here are: {STRANGER.public.id}" in capsys.readouterr().err
    assert command.main(["verify", backup.root, "--public-key", "ed25519:short"]) == 1
    assert "--public-key holds no public key" in capsys.readouterr().err
    assert command.main(["verify", backup.root, "--public-key", KEY.public.written]) == 0
    assert not (tmp_path / "new host").exists()  # reading creates no keys


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_link_leads_to_is_not_backed_up(kind, tmp_path, sources):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "shadow").write_text("root:x")
    leads = tmp_path / "secret" / ("shadow" if kind == "file" else "")
    (tmp_path / "mlflow" / "7" / "link").symlink_to(leads)

    with pytest.raises(BackupError, match=r"mlflow/7/link is a link, and what it leads to does n"):
        create(sources, place_at(str(tmp_path / "b"), {}, "X"), now=NOW, say=print, key=KEY)


def test_a_link_in_a_backup_is_refused(tmp_path, sources, backup, server):
    file = Path(backup.root) / "stores" / "lake" / "7" / "artifact"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BackupError, match="stores/lake/7/artifact is a link"):
        quietly_restore(sources, backup)

    assert server.restored == []


def test_a_restore_deletes_and_writes_nothing_behind_a_link(tmp_path, sources, backup):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    shutil.rmtree(tmp_path / "lake" / "7")
    (tmp_path / "lake" / "7").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BackupError, match="lake/7 is a link"):
        quietly_restore(sources, backup, replace=False)
    quietly_restore(sources, backup)

    assert content(tmp_path / "elsewhere") == {"mine": b"mine"}
    assert (tmp_path / "lake" / "7" / "artifact").read_text() == "lake" * 1000
    assert not (tmp_path / "lake" / "7").is_symlink()


def test_every_file_of_a_backup_is_for_its_owner_alone(tmp_path, sources):
    place = replace(place_at(str(tmp_path / "private"), {}, "X"), private=True)

    create(sources, place, now=NOW, say=lambda _: None, key=KEY)

    files = [path for path in Path(place.root).rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_public_key_is_all_that_a_restore_needs(sources, backup, server):
    kept = PublicKey(KEY.public.written)

    quietly_restore(sources, backup, trust=ManifestTrust((kept,)))

    assert server.restored == ["airflow", "mlflow"]
