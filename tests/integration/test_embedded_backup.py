"""The backup of the stack without Docker by its commands: cluster, lake, keys; and forgeries."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from deploy.backup import __main__ as command
from deploy.backup.manifest import NAME, _canonical
from deploy.backup.sources import embedded_sources
from deploy.embedded import postgres, roles
from deploy.embedded.environment import leave_record
from deploy.embedded.layout import create_folders, find_layout
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack, new_secrets, save_stack
from pipeline import settings
from pipeline.ledger import keyring
from pipeline.ledger.keys import PrivateKey, new_private_key
from tests.integration.conftest import _free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


def make_stack(home: Path) -> Stack:
    """The state for a backup after the first `make up` and `make down`."""
    layout = find_layout({"PLIMSOLL_HOME": str(home)})
    create_folders(layout)
    stack = Stack(layout, Ports(*_free_ports()), new_secrets())
    save_stack(stack)
    leave_record(stack)
    postgres.initialise_cluster(stack)
    with embedded_sources({"PLIMSOLL_HOME": str(home)}, print):
        roles.apply_roles(stack)
    return stack


def ask(stack: Stack, *statements: str) -> list[Any]:
    """Each statement in the database of the metrics, while the server runs."""
    environment = {"PLIMSOLL_HOME": str(stack.layout.home)}
    with (
        embedded_sources(environment, print),
        closing(psycopg2.connect(stack.dsn("plimsoll"))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def fill(stack: Stack) -> None:
    layout = stack.layout
    rows = pa.table({"date": ["2024-01-01", "2024-01-02"], "score": [0.5, 0.25]})
    write_deltalake(str(layout.lake / "press" / "scores"), rows, partition_by=["date"])
    (layout.mlflow / "7").mkdir()
    (layout.mlflow / "7" / "card.md").write_text("# card")
    ask(stack, "CREATE TABLE readings (value int)", "INSERT INTO readings VALUES (7)")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    home = tmp_path / "home"
    monkeypatch.setenv("PLIMSOLL_HOME", str(home))
    made = make_stack(home)
    fill(made)
    keyring.create_missing(home)
    yield made
    assert roles.server_unready(made) is not None  # no command leaves the server running


@pytest.fixture
def backup(stack: Stack, tmp_path: Path) -> Path:
    assert stack
    assert command.main(["create", str(tmp_path / "backup"), "--embedded"]) == 0
    return tmp_path / "backup"


def own_key() -> PrivateKey:
    return keyring.signer(settings.load(), "backup")


def rewrite(backup: Path, key: PrivateKey | None) -> None:
    """List a file of the backup below the lake by a path that leaves it, under another proof."""
    manifest = json.loads((backup / NAME).read_text())
    del manifest["signature"]
    path = next(name for name in manifest["files"] if name.endswith("card.md"))
    (backup / "outside.txt").write_bytes((backup / path).read_bytes())
    manifest["files"]["stores/lake/../../../../outside.txt"] = manifest["files"].pop(path)
    if key is None:
        manifest["format"] = 1
        text = json.dumps(manifest, sort_keys=True).encode()
        manifest["digest"] = hashlib.sha256(text).hexdigest()
    else:
        manifest["signature"] = asdict(key.sign(_canonical(manifest)))
    (backup / NAME).write_text(json.dumps(manifest))


def test_a_stack_comes_back_on_a_host_that_lost_its_home(
    stack: Stack, backup: Path, capsys: pytest.CaptureFixture[str]
):
    public, ledger = own_key().public, keyring.signer(settings.load(), "ledger")
    assert command.main(["verify", str(backup)]) == 0
    before = {name: content(stack.layout.home / name) for name in ("lake", "mlflow", "keys")}

    shutil.rmtree(stack.layout.home)
    fresh = make_stack(stack.layout.home)

    assert command.main(["restore", str(backup), "--replace", "--embedded"]) == 1
    assert f"is signed by the key {public.id}, and the keys known here are: none" in (
        capsys.readouterr().err
    )
    words = ["restore", str(backup), "--replace", "--embedded", "--public-key", public.written]
    assert command.main(words) == 0
    assert "press is as it was on 20" in capsys.readouterr().out

    assert ask(fresh, "SELECT value FROM readings") == [(7,)]
    assert content(fresh.layout.lake) == before["lake"]
    assert content(fresh.layout.mlflow) == before["mlflow"]
    assert DeltaTable(str(fresh.layout.lake / "press" / "scores")).version() == 0
    keys = fresh.layout.home / "keys"
    # It goes on signing with the keys that its ledger and its backups know.
    assert own_key().public == public
    assert keyring.signer(settings.load(), "ledger") == ledger
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    assert keys.stat().st_mode & 0o777 == 0o700


def test_the_keys_that_sign_are_in_it_and_for_its_owner_alone(stack: Stack, backup: Path):
    held = backup / "stores" / "keys"

    assert content(held) == content(stack.layout.home / "keys")
    assert (held / "backup.private").stat().st_mode & 0o777 == 0o600
    assert backup.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("proof", ["a new digest", "another key", "our own key"])
def test_a_forged_manifest_writes_nothing_outside_whatever_proves_it(
    proof: str, stack: Stack, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    key = {"a new digest": None, "another key": new_private_key(), "our own key": own_key()}[proof]
    rewrite(backup, key)
    kept = {name: content(stack.layout.home / name) for name in ("lake", "mlflow", "keys")}
    capsys.readouterr()

    for words in (["verify"], ["restore", "--replace", "--embedded"]):
        for more in ([], ["--unsigned"]):
            assert command.main([*words[:1], str(backup), *words[1:], *more]) == 1

    printed = capsys.readouterr().err
    assert {
        "a new digest": "is not signed, as backups of earlier releases are not",
        "another key": "is signed by the key",
        "our own key": "'stores/lake/../../../../outside.txt' has an empty part, . or ..",
    }[proof] in printed
    assert not list(tmp_path.parent.glob("outside.txt"))
    assert not list(tmp_path.glob("outside.txt"))
    assert {name: content(stack.layout.home / name) for name in kept} == kept
    assert ask(stack, "SELECT value FROM readings") == [(7,)]


def test_a_backup_of_an_earlier_release_has_no_keys_and_leaves_those_that_are_there(
    stack: Stack, backup: Path, capsys: pytest.CaptureFixture[str]
):
    manifest = json.loads((backup / NAME).read_text())
    del manifest["signature"]
    manifest["format"] = 1
    manifest["stores"].remove("keys")
    for name in [name for name in manifest["files"] if name.startswith("stores/keys/")]:
        del manifest["files"][name]
        (backup / name).unlink()
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (backup / NAME).write_text(json.dumps({**manifest, "digest": digest}))
    key = own_key()

    assert command.main(["restore", str(backup), "--replace", "--embedded"]) == 1
    assert "give --unsigned" in capsys.readouterr().err
    words = ["restore", str(backup), "--replace", "--embedded", "--unsigned"]
    assert command.main(words) == 0

    assert own_key() == key
    assert ask(stack, "SELECT value FROM readings") == [(7,)]
