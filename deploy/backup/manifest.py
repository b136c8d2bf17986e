"""The manifest: the content of a backup, and the proof of its content and origin. Pure.

It is signed: the hashes in it prove the files, so a forged manifest could
restore any file. Format 1, of releases that did not sign, carries a hash of itself instead,
which detects damage and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from deploy.backup.errors import BackupError
from deploy.backup.names import refuse_clashes, refuse_odd
from deploy.backup.trust import OPTION, ManifestTrust
from pipeline.ledger.keys import PrivateKey, Signature, verifies

NAME = "manifest.json"
FORMAT, UNSIGNED = 2, 1

_PURPOSE = b"plimsoll backup manifest\n"  # a signature for another purpose proves nothing here
_SHOWN = 300


@dataclass(frozen=True)
class FileEntry:
    """One file of a backup: size in bytes and sha256 of its content."""

    size: int
    sha256: str


@dataclass(frozen=True)
class BackupManifest:
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

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the detectors whose tables it holds."""
        return tuple(sorted({table.partition("/")[0] for table in self.tables}))


def dumped(name: str) -> str:
    """Path in a backup of the dump of a database."""
    return f"databases/{name}.dump"


def stored(store: str) -> str:
    """Path in a backup of the folder with the files of a store."""
    return f"stores/{store}"


def to_json(manifest: BackupManifest, key: PrivateKey) -> bytes:
    """The manifest as a file, signed by `key`."""
    content = {"format": FORMAT, **asdict(manifest)}
    signature = asdict(key.sign(_canonical(content)))
    return json.dumps({**content, "signature": signature}, indent=1, sort_keys=True).encode()


def from_json(text: bytes, where: str, trust: ManifestTrust) -> BackupManifest:
    """Inverse of `to_json`; `where` is for messages.

    Raises:
        BackupError: it is no manifest, of another format, not signed by a key of `trust`, was
            changed, or lists files that no backup has.
    """
    try:
        content = json.loads(text)
        form = content.pop("format")
        proof = content.pop("digest" if form == UNSIGNED else "signature", None)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        msg = f"{where} is not a manifest ({repr(error)[:_SHOWN]}): the backup is damaged. Use "
        raise BackupError(msg + "another one.") from error
    if form not in (FORMAT, UNSIGNED):
        versions = content.get("versions")
        wrote = str(versions.get("plimsoll") if isinstance(versions, dict) else "unknown")[:_SHOWN]
        msg = f"{where} has format {str(form)[:20]}, this Plimsoll reads {UNSIGNED} and {FORMAT}; "
        raise BackupError(msg + f"restore with the release that wrote it: {wrote}.")
    if form == UNSIGNED:
        _refuse_unsigned(where, trust)
        if proof != hashlib.sha256(_sorted({"format": form, **content})).hexdigest():
            msg = f"{where} was changed after it was written: the backup is damaged. Use another."
            raise BackupError(msg)
    else:
        _refuse_unproven({"format": form, **content}, proof, where, trust)
    manifest = _manifest(content, where)
    refuse_strangers(manifest, where)
    return manifest


def refuse_strangers(manifest: BackupManifest, where: str) -> None:
    """Refuse a manifest with other files than dumps of its databases and files of its stores.

    Raises:
        BackupError: a file is neither, a database has no dump, or a name could leave its place.
    """
    for name in (*manifest.databases, *manifest.stores):
        refuse_odd(name, where)
    dumps = {dumped(name) for name in manifest.databases}
    folders = tuple(f"{stored(store)}/" for store in manifest.stores)
    for path in manifest.files:
        refuse_odd(path, where)
        if path not in dumps and not path.startswith(folders):
            msg = (
                f"{where} lists {path[:120]!r}, which is neither a dump of "
                f"{', '.join(manifest.databases)} nor a file of {', '.join(manifest.stores)}. No "
                "backup has one: use another backup."
            )
            raise BackupError(msg)
    if missing := sorted(dumps - set(manifest.files)):
        msg = f"{where} lists no {missing[0][:120]}: the backup is not whole. Use another one."
        raise BackupError(msg)
    refuse_clashes(manifest.files, where)


def _refuse_unsigned(where: str, trust: ManifestTrust) -> None:
    if not trust.unsigned:
        msg = (
            f"{where} is not signed, as backups of earlier releases are not: anybody who could "
            "write there could have put anything into it. If you know where it has been since it "
            "was made, give --unsigned; else use another backup."
        )
        raise BackupError(msg)


def _refuse_unproven(
    content: Mapping[str, Any], proof: Any, where: str, trust: ManifestTrust
) -> None:
    try:
        signature = TypeAdapter(Signature).validate_python(proof)
    except ValueError as error:
        msg = (
            f"{where} has no signature, and a backup of this release has one: it was removed, or "
            "the file is damaged. Use another backup."
        )
        raise BackupError(msg) from error
    known = ", ".join(key.id for key in trust.keys) or "none"
    if signature.key not in {key.id for key in trust.keys}:
        msg = (
            f"{where} is signed by the key {signature.key[:40]}, and the keys known here are: "
            f"{known}. On a new host, or for a backup of another deployment, give the public key "
            f"that was printed when it was made: {OPTION} ed25519:... Without it, the "
            "origin of the backup is unknown."
        )
        raise BackupError(msg)
    if not verifies(_canonical(content), signature, trust.keys):
        msg = (
            f"{where} was changed after {signature.key} had signed it: it is damaged or forged. "
            "Use another backup."
        )
        raise BackupError(msg)


def _manifest(content: dict[str, Any], where: str) -> BackupManifest:
    try:
        return TypeAdapter(BackupManifest).validate_python(content)
    except ValueError as error:
        reason = " ".join(str(error).split())[:_SHOWN]
        msg = f"{where} is not a manifest ({reason}): the backup is damaged. Use another one."
        raise BackupError(msg) from error


def _canonical(content: Mapping[str, Any]) -> bytes:
    return _PURPOSE + _sorted(content)


def _sorted(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
