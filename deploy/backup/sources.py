"""The data of a deployment and how to reach them: from the environment, or embedded."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deploy.backup.databases import Server
from deploy.backup.errors import BackupError
from deploy.backup.places import Place, place_at
from deploy.embedded import postgres, roles
from deploy.embedded.layout import find_layout
from deploy.embedded.stack import DATABASES, Stack, load_stack

LAKE, ARTIFACTS, KEYS = "lake", "mlflow", "keys"
REGISTRY = "mlflow"
"""The database of runs, versions and aliases: the one that must fit the tables."""

_PREFIX = "PLIMSOLL_BACKUP"
_START_LIMIT_S = 60.0


@dataclass(frozen=True)
class Sources:
    """What is backed up and restored.

    Attributes:
        server: the PostgreSQL server.
        databases: the names of its databases.
        stores: the Delta tables (`lake`), MLflow's artifacts (`mlflow`) and, of the stack without
            Docker, the keys that sign (`keys`): without them its ledger could not go on.
    """

    server: Server
    databases: tuple[str, ...]
    stores: Mapping[str, Place]


def sources_of(environment: Mapping[str, str]) -> Sources:
    """The sources that the variables `PLIMSOLL_BACKUP_*` name.

    Raises:
        BackupError: one is missing.
    """

    def needed(name: str, example: str) -> str:
        if value := environment.get(f"{_PREFIX}_{name}"):
            return value
        msg = f"{_PREFIX}_{name} is not set; give it a value like {example}, or use --embedded."
        raise BackupError(msg)

    names = environment.get(f"{_PREFIX}_DATABASES") or ",".join(DATABASES)
    stores = {
        store: place_at(needed(store.upper(), example), environment, f"{_PREFIX}_{store.upper()}")
        for store, example in ((LAKE, "s3://lake"), (ARTIFACTS, "s3://mlflow"))
    }
    return Sources(
        server=Server(needed("POSTGRES", "postgresql://postgres@postgres:5432")),
        databases=tuple(name.strip() for name in names.split(",") if name.strip()),
        stores=stores,
    )


def target_at(uri: str, environment: Mapping[str, str]) -> Place:
    """The folder of a backup."""
    return replace(place_at(uri, environment, f"{_PREFIX}_TARGET"), private=True)


@contextmanager
def embedded_sources(
    environment: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Sources]:
    """The sources of the stack without Docker; its PostgreSQL is started if the stack is down.

    Raises:
        BackupError: there is no stack yet, or its PostgreSQL does not start.
    """
    layout = find_layout(environment)
    stack = load_stack(layout)
    if stack is None:
        msg = f"There is no stack in {layout.home}: start it once with `make up`, then stop it "
        raise BackupError(msg + "with `make down`; a restore needs --replace then.")
    with _served(stack, say):
        administrator = roles.administrator_of(stack)
        yield Sources(
            server=Server(stack.administrator_dsn("", role=administrator).rstrip("/")),
            databases=DATABASES,
            stores={
                LAKE: place_at(str(layout.lake), environment, _PREFIX),
                ARTIFACTS: place_at(str(layout.mlflow), environment, _PREFIX),
                KEYS: replace(
                    place_at(str(layout.home / "keys"), environment, _PREFIX), private=True
                ),
            },
        )


@contextmanager
def _served(stack: Stack, say: Callable[[str], None]) -> Iterator[None]:
    if roles.server_unready(stack) is None:
        yield
        return
    say("starting PostgreSQL")
    with stack.layout.log_of("postgres").open("a") as log:
        server = subprocess.Popen(
            postgres.server_command(stack), stdout=log, stderr=log, cwd=stack.layout.home
        )
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while (reason := roles.server_unready(stack)) is not None:
            if server.poll() is not None or time.monotonic() > deadline:
                msg = (
                    f"PostgreSQL does not start ({reason}); read {stack.layout.log_of('postgres')}."
                )
                raise BackupError(msg)
            time.sleep(0.1)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: the cluster is left clean
        server.wait(timeout=_START_LIMIT_S)
