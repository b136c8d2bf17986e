"""Verification that a backup is unchanged."""

from __future__ import annotations

from deploy.backup import copying
from deploy.backup.errors import BackupError
from deploy.backup.manifest import NAME, BackupManifest, FileEntry, from_json
from deploy.backup.places import Place, in_parallel
from deploy.backup.trust import ManifestTrust

_NAMED = 3  # files that a message names


def verify(backup: Place, trust: ManifestTrust) -> BackupManifest:
    """Read every file of the backup; returns its manifest if it is proven and no file changed.

    Raises:
        BackupError: there is no manifest, `trust` does not prove it, files are missing or damaged,
            or there are files that it does not list.
    """
    if not backup.exists(NAME):
        msg = (
            f"{backup.uri} has no {NAME}: there is no backup, or it was broken off before it was "
            "complete. Name the folder of a finished one."
        )
        raise BackupError(msg)
    manifest = from_json(backup.read(NAME), f"{backup.uri}/{NAME}", trust)
    _refuse_added(backup, manifest)

    def measured(path: str) -> tuple[str, FileEntry | None]:
        return path, copying.measure(backup, path)

    found = dict(in_parallel(measured, manifest.files))
    missing = [path for path, entry in found.items() if entry is None]
    damaged = [path for path, e in found.items() if e is not None and e != manifest.files[path]]
    if missing or damaged:
        named = ", ".join([*missing, *damaged][:_NAMED])
        msg = (
            f"{backup.uri}: {len(missing)} files are missing and {len(damaged)} damaged, of "
            f"{len(found)} ({named}). Nothing was restored; use another backup."
        )
        raise BackupError(msg)
    return manifest


def _refuse_added(backup: Place, manifest: BackupManifest) -> None:
    if added := sorted(set(backup.files()) - set(manifest.files) - {NAME}):
        msg = (
            f"{backup.uri}: {len(added)} files are there that the manifest does not list "
            f"({', '.join(added[:_NAMED])[:200]}). Somebody put them there: remove them once you "
            "know why, or use another backup."
        )
        raise BackupError(msg)
