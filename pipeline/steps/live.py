"""The live bundles, cached on this machine.

The ledger says which version is live and which digest its bundle has; an alias or a file that says
otherwise is ignored. A version never changes, so a bundle that was fetched once stays in the cache,
under a name made of its digest. Loading verifies every hash and the golden rows; a process does so
again only when a file has changed since.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog

from pipeline import ledger, lineage, log_context
from pipeline.detector.bundle.bundle import Bundle, load_bundle
from pipeline.detector.bundle.sums import verify_sums
from pipeline.errors import BundleError, NothingLive, UnprovenBundle
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps import ledger_state
from pipeline.steps.ledger_state import LedgerState

_DIGEST = re.compile(r"[0-9a-f]{64}")

log = structlog.get_logger()


@dataclass(frozen=True)
class LoadedVersion:
    """A registered version and its verified bundle."""

    version: Version
    bundle: Bundle


def champion(here: Deployment, detector: str) -> LoadedVersion:
    """The live version.

    Raises:
        NothingLive: no version is live.
        UnprovenLedger: the ledger does not hold.
        UnprovenBundle: its bundle is gone, or is not the one that the ledger names.
    """
    found = champion_or_none(here, detector)
    if found is None:
        raise NothingLive(nothing_live(here, detector))
    log_context.bind_version(found.version.number)
    lineage.note_model(detector, found.version.number, alias=promotion.CHAMPION)
    return found


def nothing_live(here: Deployment, detector: str) -> str:
    """The sentence for a detector without a live version, with the command that makes one."""
    train = this_shell(here).start(detector, "train", paused=True)
    return f"{detector} has no champion yet; train one: `{train}`."


def champion_or_none(here: Deployment, detector: str) -> LoadedVersion | None:
    """The live version, or None."""
    held = ledger_state.read(here, detector)
    found = registered(here, connect(here), held)
    return None if found is None else opened(here, found, held)


def readable_champion(here: Deployment, detector: str) -> LoadedVersion | None:
    """The live version; None if there is none, or this release cannot read it.

    Raises:
        UnprovenLedger: the ledger does not hold.
        UnprovenBundle: as in `readable`.
    """
    held = ledger_state.read(here, detector)
    found = registered(here, connect(here), held)
    return None if found is None else readable(here, found, held)


def readable(here: Deployment, version: Version, held: LedgerState) -> LoadedVersion | None:
    """The live `version` with its bundle; None if this release cannot read it.

    A champion that cannot be loaded any more must not block its successor.

    Raises:
        UnprovenBundle: it is gone, or not the one that the ledger names: that is not a matter of
            releases, and ignoring it would let an attacker skip the comparison.
    """
    try:
        return opened(here, version, held)
    except UnprovenBundle:
        raise
    except BundleError as error:
        log.warning("champion_not_readable", reason=str(error))
        return None


def previous(here: Deployment, detector: str) -> LoadedVersion | None:
    """The version to return to from the champion, or None."""
    client, held = connect(here), ledger_state.verified(here, detector)
    number = rollback_target(client, held)
    found = versions.by_number(client, detector, number) if number is not None else None
    return None if found is None else opened(here, found, held)


def challenger(here: Deployment, detector: str) -> LoadedVersion | None:
    """The candidate that passed its gate and waits for its promotion, or None."""
    found = versions.by_alias(connect(here), detector, promotion.CHALLENGER)
    return None if found is None else opened(here, found, ledger_state.verified(here, detector))


def registered(here: Deployment, client: Client, held: LedgerState) -> Version | None:
    """The live version by a ledger, which is proven first; None: no version is live.

    Raises:
        UnprovenLedger: the ledger does not hold, or the head on the version is of another ledger.
        UnprovenBundle: MLflow does not have the version.
    """
    current = held.live
    found = versions.by_number(client, held.detector, current.version) if current else None
    ledger_state.refuse_unverified(
        here, held, ledger_state.fault(here, held, (found,) if found else ())
    )
    if current is not None and found is None:
        msg = (
            f"Version {current.version} of {held.detector} is live by the ledger, and MLflow does "
            f"not have it: the version or its model was deleted or renamed there. "
            f"{_remedy(here, held)}"
        )
        raise UnprovenBundle(msg)
    return found


def rollback_target(client: Client, held: LedgerState) -> int | None:
    """The version to return to from the champion: the newest earlier one that still exists.

    A version that was rolled back does not count, see `ledger.champions_in_order`.
    """
    gone = ledger.rolled_back(held.entries)
    earlier = [n for n in ledger.champions_in_order(held.changes)[:-1] if n not in gone]
    there = (
        n for n in reversed(earlier) if versions.by_number(client, held.detector, n) is not None
    )
    return next(there, None)


def opened(
    here: Deployment, version: Version, held: LedgerState, *, digest: str = "", fresh: bool = False
) -> LoadedVersion:
    """`version` with its bundle, from the cache or fetched into it.

    Args:
        here: the deployment.
        version: the version.
        held: the ledger, proven.
        digest: of the expected bundle; empty: the one in the ledger, else in the gate's tag.
        fresh: fetch it, even if the cache holds it.

    Raises:
        UnprovenBundle: it is gone, damaged, or not the one that the ledger names.
        BundleError: this release cannot read it.
    """
    digest = digest or held.digest_of(version.number) or tags.bundle_digest(version)
    if digest and not _DIGEST.fullmatch(digest):
        msg = (
            f"Version {version.number} of {held.detector} names {digest[:80]!r} as the digest of "
            "its bundle, which has 64 hexadecimal digits: somebody wrote its tag bundle_sha256."
        )
        raise UnprovenBundle(msg)
    kept = _kept_at(here, version, digest)
    if fresh:
        shutil.rmtree(kept, ignore_errors=True)
    if kept.is_dir():
        try:
            return _whole(here, kept, digest, version, held)
        except UnprovenBundle:
            shutil.rmtree(kept)  # a damaged copy: the registry has the original
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        fetched = _fetched(here, version, Path(scratch), held)
        _refuse_other(here, fetched, digest, version, held)
        try:
            fetched.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another task was first, with the same files
                raise
    return _whole(here, kept, digest, version, held)


def _whole(
    here: Deployment, kept: Path, digest: str, version: Version, held: LedgerState
) -> LoadedVersion:
    _refuse_other(here, kept, digest, version, held)
    bundle = _loaded(kept, _state(kept))
    if digest and bundle.digest != digest:
        msg = (
            f"The bundle of version {version.number} of {held.detector} was replaced in the cache "
            "while it was loaded. Run this again."
        )
        raise UnprovenBundle(msg)
    return LoadedVersion(version, bundle)


def _fetched(here: Deployment, version: Version, scratch: Path, held: LedgerState) -> Path:
    try:
        return versions.download(version, scratch)
    except versions.FilesGone as error:
        msg = (
            f"The bundle of version {version.number} of {held.detector} is gone from MLflow "
            f"({error}). {_remedy(here, held)}"
        )
        raise UnprovenBundle(msg) from error


def _refuse_other(
    here: Deployment, folder: Path, digest: str, version: Version, held: LedgerState
) -> None:
    """Return if the bundle in `folder` is whole and has `digest`; empty: any digest."""
    try:
        found = _digest(folder, _state(folder))
    except BundleError as error:
        msg = f"Version {version.number} of {held.detector}: {error} {_remedy(here, held)}"
        raise UnprovenBundle(msg) from error
    if digest and found != digest:
        msg = (
            f"The bundle of version {version.number} of {held.detector} has the digest "
            f"{found[:12]}, and was judged and recorded with {digest[:12]}: its files were "
            f"replaced. {_remedy(here, held)}"
        )
        raise UnprovenBundle(msg)


def _remedy(here: Deployment, held: LedgerState) -> str:
    shell, name = this_shell(here), held.detector
    back = shell.start(name, "rollback", target="previous", reason="its bundle is gone")
    return (
        "Restore it from a backup, or go back to a version that is whole "
        f"(`{back}`); if none is left, say so with "
        f"`{shell.plimsoll('ledger', name, '--withdraw', '--reason', 'its bundle is lost')}` and "
        "train a new one."
    )


@lru_cache(maxsize=16)
def _digest(folder: Path, _state: tuple[object, ...]) -> str:
    return verify_sums(folder)


@lru_cache(maxsize=4)  # champion and challenger, and as many behind them
def _loaded(kept: Path, _state: tuple[object, ...]) -> Bundle:
    # One thread: workers share a machine by processes, and those of one would slow the others.
    return load_bundle(kept, threads=1)


def _state(kept: Path) -> tuple[object, ...]:
    """A key that changes when a file in `kept` changes."""
    held = sorted((path.name, path.stat()) for path in kept.iterdir())
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in held)


def _kept_at(here: Deployment, version: Version, digest: str) -> Path:
    name = digest or hashlib.sha256(f"{version.run_id} {version.source}".encode()).hexdigest()
    return here.cache / "bundles" / name[:32]
