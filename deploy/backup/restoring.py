"""Restore a backup into a deployment whose services are stopped."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace

from deploy.backup import copying, databases
from deploy.backup.errors import BackupError
from deploy.backup.manifest import BackupManifest, FileEntry, dumped, stored
from deploy.backup.places import Place, in_parallel
from deploy.backup.sources import KEYS, Sources
from deploy.backup.trust import ManifestTrust
from deploy.backup.verifying import verify
from pipeline import settings
from pipeline.errors import ConfigError, DataError
from pipeline.steps import ledger_statements


def restore(
    sources: Sources,
    backup: Place,
    *,
    trust: ManifestTrust,
    replace: bool,
    say: Callable[[str], None],
) -> BackupManifest:
    """Restore `sources`; with `replace`, existing content is deleted first.

    Everything that can be checked is checked before anything is changed. Files come first and the
    databases last, so that nothing can start on half of it.

    Raises:
        BackupError: the backup is damaged or `trust` does not prove it, services are running,
            something is there and `replace` was not given, or a step failed; the message says
            whether something was changed.
    """
    say("verifying the backup")
    manifest = verify(backup, trust)
    _refuse_misfit(sources, manifest)
    _refuse_no_room(backup, manifest)
    if not replace:
        _refuse_filled(sources, manifest)
    _say_which_keys_go(sources, manifest, say)
    for store in manifest.stores:
        say(f"restoring {store}")
        _restore_store(sources.stores[store], store, backup, manifest)
    for name in manifest.databases:
        say(f"restoring database {name}")
        databases.restore(sources.server, name, backup, manifest.files[dumped(name)])
    if "lake" in manifest.stores:
        _note_restoration(manifest, sources.stores["lake"], say)
    return manifest


def _note_restoration(manifest: BackupManifest, lake: Place, say: Callable[[str], None]) -> None:
    """Append a signed restoration to each ledger: it names the decisions that are lost since.

    Lake, keys and databases are back, and no service runs yet.
    """
    here = replace(settings.load(), storage=lake.uri)
    why = f"Restored from the backup of {manifest.created_at}."
    with settings.environment({name.upper(): value for name, value in lake.options.items()}):
        for detector in manifest.detectors:
            say(f"{detector} is as it was on {manifest.created_at}")
            try:
                ledger_statements.note_restoration(here, detector, who=getpass.getuser(), why=why)
            except (ConfigError, DataError) as error:
                say(f"warning: its ledger does not say that it was restored: {error}")


def _refuse_misfit(sources: Sources, manifest: BackupManifest) -> None:
    if strangers := sorted(set(manifest.stores) - set(sources.stores)):
        msg = f"The backup holds {', '.join(strangers)}, which this deployment does not name."
        raise BackupError(msg)
    if connected := databases.sessions(sources.server, manifest.databases):
        msg = (
            f"Somebody is connected to {', '.join(connected)}: stop everything but PostgreSQL and "
            "the S3 server (embedded: `make down`), then restore. Nothing was changed."
        )
        raise BackupError(msg)
    if lacking := databases.missing_roles(sources.server, manifest.roles):
        msg = (
            f"The server has no role {', '.join(lacking)}: let the deployment make its roles "
            "(start its PostgreSQL once), or CREATE ROLE each of them. Nothing was changed."
        )
        raise BackupError(msg)


def _refuse_no_room(backup: Place, manifest: BackupManifest) -> None:
    """One dump at a time is copied, so the largest decides."""
    dumps = [dumped(name) for name in manifest.databases]
    if dumps:
        largest = max(dumps, key=lambda path: manifest.files[path].size)
        copying.refuse_no_room(backup, largest, manifest.files[largest].size)


def _say_which_keys_go(
    sources: Sources, manifest: BackupManifest, say: Callable[[str], None]
) -> None:
    """Say which keys are about to be replaced by other ones: that undoes a rotation.

    Before they are: where a restore is broken off and begun again, they are the same by then.
    """
    if KEYS not in manifest.stores:
        return
    here, folder = sources.stores[KEYS], stored(KEYS)
    others = [
        name
        for name in here.files()
        if copying.measure(here, name) != manifest.files.get(f"{folder}/{name}")
    ]
    if others:
        named = ", ".join(sorted({name.partition(".")[0] for name in others}))
        say(
            f"warning: the keys in {here.uri} ({named}) are not those of the backup of "
            f"{manifest.created_at}, which replace them: a rotation made since is undone, and the "
            'old private keys sign again. After `make up`, run `ledger --rotate --reason "..."`; '
            'the key `backup` is replaced by hand: docs/backup.md, "Keys".'
        )


def _refuse_filled(sources: Sources, manifest: BackupManifest) -> None:
    filled = [
        f"database {n}" for n in databases.filled_databases(sources.server, manifest.databases)
    ]
    filled += [sources.stores[s].uri for s in manifest.stores if not sources.stores[s].is_empty()]
    if filled:
        msg = (
            f"There is something in {', '.join(filled)}. Back it up if it is worth anything, then "
            "give --replace to delete it. Nothing was changed."
        )
        raise BackupError(msg)


def _restore_store(target: Place, store: str, backup: Place, manifest: BackupManifest) -> None:
    target.empty()
    folder = stored(store)
    source = backup.below(folder)

    def put(file: tuple[str, FileEntry]) -> None:
        path, entry = file
        copying.copy_back(source, path.removeprefix(f"{folder}/"), target, entry)

    mine = ((path, e) for path, e in manifest.files.items() if path.startswith(f"{folder}/"))
    for _ in in_parallel(put, mine):
        pass
