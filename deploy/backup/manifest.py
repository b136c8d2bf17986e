"""The manifest: what a backup holds, and the proof that it still does. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deploy.backup.errors import BackupError

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class FileEntry:
    """One file of a backup: size in bytes and sha256 of its content."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A finished backup.

    Attributes:
        created_at: when it was begun, UTC, ISO 8601: what was written later may be missing.
        versions: of Plimsoll, Airflow, MLflow and PostgreSQL.
        databases: names of the dumped databases.
        roles: PostgreSQL roles that own something in them or may read it.
        stores: names of the folders and buckets.
        tables: version of each Delta table, by its path in the store `lake`.
        files: every file by its path in the backup, this one left out.
    """

    created_at: str
    versions: Mapping[str, str]
    databases: tuple[str, ...]
    roles: tuple[str, ...]
    stores: tuple[str, ...]
    tables: Mapping[str, int]
    files: Mapping[str, FileEntry]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


def dumped(name: str) -> str:
    """Path in a backup of the dump of a database."""
    return f"databases/{name}.dump"


def stored(store: str) -> str:
    """Path in a backup of the folder with the files of a store."""
    return f"stores/{store}"


def to_json(manifest: Manifest) -> bytes:
    """The manifest as a file that notices when it is changed."""
    content = {"format": FORMAT, **asdict(manifest)}
    return json.dumps({**content, "digest": _digest(content)}, indent=1, sort_keys=True).encode()


def from_json(text: bytes, where: str) -> Manifest:
    """Inverse of `to_json`; `where` is for messages.

    Raises:
        BackupError: it is no manifest, of another format, or was changed.
    """
    try:
        content = json.loads(text)
        digest = content.pop("digest")
        form = content.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        msg = f"{where} is not a manifest ({error!r}): the backup is damaged. Use another one."
        raise BackupError(msg) from error
    if form != FORMAT:
        msg = f"{where} has format {form}, this Plimsoll reads {FORMAT}; restore with the release "
        raise BackupError(msg + f"that wrote it: {content.get('versions', {}).get('plimsoll')}.")
    if digest != _digest({"format": form, **content}):
        msg = f"{where} was changed after it was written: the backup is damaged. Use another one."
        raise BackupError(msg)
    return _manifest(content)


def _manifest(content: dict[str, Any]) -> Manifest:
    return Manifest(
        created_at=content["created_at"],
        versions=content["versions"],
        databases=tuple(content["databases"]),
        roles=tuple(content["roles"]),
        stores=tuple(content["stores"]),
        tables=content["tables"],
        files={path: FileEntry(**entry) for path, entry in content["files"].items()},
    )


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
