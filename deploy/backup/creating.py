"""Create a backup of a running deployment.

Because of this order the parts fit each other when they are restored:

1. **Airflow's and the metrics' databases.** Whatever a task commits after this, Airflow's copy
   has as not done and does again; every task is idempotent. The other way round a day would
   count as done whose rows are in no table.
2. **The cut**: one version of every table is chosen, see `cut`.
3. **MLflow's database.** A version in it may be missing in the tables, which the task that
   registered it writes when it runs again; never the reverse. Was somebody promoted between 2 and 3
   (a ledger has grown), both are copied again. A promotion that is only half done is in the copy as
   a process killed at that moment leaves it, and the next run of `settle` finishes it.
4. **The files** of the cut, MLflow's artifacts and, embedded, the keys: none of them is ever
   changed in place, so this may take any time.
5. **The manifest**, signed, when the copied tables have been opened and miss nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from importlib.metadata import version

from deploy.backup import copying, databases
from deploy.backup.cut import (
    LOG,
    POINTER,
    TableCut,
    cut_tables,
    is_log,
    missing_files,
    table_of,
    versions_of,
)
from deploy.backup.errors import BackupError
from deploy.backup.manifest import (
    NAME,
    BackupManifest,
    FileEntry,
    dumped,
    refuse_strangers,
    stored,
    to_json,
)
from deploy.backup.places import Place, in_parallel
from deploy.backup.sources import LAKE, REGISTRY, Sources
from pipeline.ledger.keys import PrivateKey
from pipeline.provenance import code_version

Say = Callable[[str], None]
ATTEMPTS = 5
LEDGER = "ledger"


def create(
    sources: Sources, target: Place, *, now: datetime, say: Say, key: PrivateKey
) -> BackupManifest:
    """Back up `sources` into the empty place `target`, signed by `key`; returns the manifest.

    Raises:
        BackupError: `target` is in use, a source does not answer, a table misses files, or a file
            has a name that could not be restored. What was written so far stays, and is no backup.
    """
    refuse_used(target)
    target.make_private()
    files: dict[str, FileEntry] = {}
    for name in sources.databases:
        if name != REGISTRY:
            say(f"dumping {name}")
            files[dumped(name)] = databases.dump(sources.server, name, target)
    cuts = _fitting_cut(sources, target, files, say)
    say(f"copying {len(cuts)} tables")
    files |= _copy_lake(sources.stores[LAKE], cuts, target)
    for name, store in sources.stores.items():
        if name != LAKE:
            say(f"copying {name}")
            files |= _copied(store, store.files(), target.below(stored(name)), name)
    _refuse_torn(target.below(stored(LAKE)), cuts)
    manifest = BackupManifest(
        created_at=now.isoformat(),
        versions=_versions(sources),
        databases=sources.databases,
        roles=databases.roles_in(sources.server, sources.databases),
        stores=tuple(sources.stores),
        tables={cut.table: cut.version for cut in cuts},
        files=files,
    )
    refuse_strangers(manifest, target.uri)
    target.write_at_once(NAME, to_json(manifest, key))
    say(
        f"signed by the key {key.public.id}; keep its public half apart from the backup, a new "
        f"host needs it: {key.public.written}"
    )
    return manifest


def refuse_used(target: Place) -> None:
    """Refuse a `target` that is not empty.

    Raises:
        BackupError: a backup is there, a broken-off one, or something else.
    """
    if target.is_empty():
        return
    what = (
        "holds a backup"
        if target.exists(NAME)
        else "holds files and no manifest, as a backup that was broken off does"
    )
    msg = f"{target.uri} {what}; give each backup a folder of its own, or delete this one first."
    raise BackupError(msg)


def _fitting_cut(
    sources: Sources, target: Place, files: dict[str, FileEntry], say: Say
) -> list[TableCut]:
    """The cut of the lake, and beside it the dump of the registry as it was at that time."""
    lake = sources.stores[LAKE]
    for _ in range(ATTEMPTS):
        cuts = cut_tables(lake)
        if REGISTRY not in sources.databases:
            return cuts
        say(f"dumping {REGISTRY}")
        files[dumped(REGISTRY)] = databases.dump(sources.server, REGISTRY, target)
        if versions_of(cut_tables(lake), LEDGER) == versions_of(cuts, LEDGER):
            return cuts
        say("a version went live meanwhile: once more")
    msg = f"Versions went live during each of {ATTEMPTS} attempts; back up when less is promoted."
    raise BackupError(msg)


def _copy_lake(lake: Place, cuts: Sequence[TableCut], target: Place) -> dict[str, FileEntry]:
    """Copy the logs at the cut, then all other files: data and staged files."""
    copied = target.below(stored(LAKE))
    files: dict[str, FileEntry] = {}
    for cut in cuts:
        files |= _copied(lake, cut.log, copied, LAKE)
        if cut.pointer is not None:
            name = f"{cut.table}/{LOG}/{POINTER}"
            copied.write_at_once(name, cut.pointer)
            entry = copying.measure(copied, name)
            files |= {f"{stored(LAKE)}/{name}": entry} if entry else {}
    known = {cut.table for cut in cuts}
    # A table that was made since the cut has no log in the backup, and data without a log look
    # like a damaged table.
    others = (
        name for name in lake.files() if not is_log(name) and table_of(name) in (None, *known)
    )
    return files | _copied(lake, others, copied, LAKE)


def _copied(source: Place, names: Iterable[str], target: Place, store: str) -> dict[str, FileEntry]:
    """Copies of `names` in the backup; files that housekeeping deleted meanwhile are left out."""

    def copy(name: str) -> tuple[str, FileEntry | None]:
        return f"{stored(store)}/{name}", copying.copy(source, name, target)

    return {path: entry for path, entry in in_parallel(copy, names) if entry is not None}


def _refuse_torn(copied: Place, cuts: Iterable[TableCut]) -> None:
    for cut, missing in in_parallel(lambda cut: (cut, missing_files(copied, cut)), cuts):
        if missing:
            msg = (
                f"{cut.table} at version {cut.version} names {len(missing)} files that are not "
                f"there, {missing[0]} for one. Either something deletes files of the lake besides "
                "housekeeping, or the table itself is damaged: read it whole, then back up again."
            )
            raise BackupError(msg)


def _versions(sources: Sources) -> dict[str, str]:
    return {
        "plimsoll": code_version(),
        "airflow": version("apache-airflow-core"),
        "mlflow": version("mlflow"),
        "postgres": databases.server_version(sources.server),
    }
