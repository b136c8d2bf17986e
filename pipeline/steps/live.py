"""The bundles that are live, at hand on this machine.

A version never changes, so what was fetched once is kept in the cache, under a name made of where
it came from. Loading verifies every hash and the golden rows; a process does so again only when a
file has changed since.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline import lineage, log_context, settings
from pipeline.detector.bundle import Bundle, load_bundle
from pipeline.errors import BundleError, NothingLive
from pipeline.registry import promotion, versions
from pipeline.registry.connection import connect
from pipeline.registry.versions import Version


@dataclass(frozen=True)
class Live:
    """A registered version and its verified bundle."""

    version: Version
    bundle: Bundle


def champion(detector: str) -> Live:
    """The live version.

    Raises:
        NothingLive: nothing is.
    """
    found = by_alias(detector, promotion.CHAMPION)
    if found is None:
        msg = f"{detector} has no champion yet; run its train DAG first."
        raise NothingLive(msg)
    log_context.bind_version(found.version.number)
    lineage.note_model(detector, found.version.number, alias=promotion.CHAMPION)
    return found


def by_alias(detector: str, alias: str) -> Live | None:
    """The version that `alias` points to, or None."""
    found = versions.by_alias(connect(settings.load()), detector, alias)
    return None if found is None else opened(found)


def opened(version: Version) -> Live:
    """`version` with its bundle, from the cache or fetched into it."""
    kept = _kept_at(version)
    if kept.is_dir():
        try:
            return Live(version, _loaded(kept, _state(kept)))
        except BundleError:
            shutil.rmtree(kept)  # a damaged copy: the registry has the original
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        fetched = versions.download(version, Path(scratch))
        try:
            fetched.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another task was first, with the same files
                raise
    return Live(version, _loaded(kept, _state(kept)))


@lru_cache(maxsize=4)  # champion and challenger, and as many behind them
def _loaded(kept: Path, _state: tuple[object, ...]) -> Bundle:
    # One thread: workers share a machine by processes, and those of one would slow the others.
    return load_bundle(kept, threads=1)


def _state(kept: Path) -> tuple[object, ...]:
    """What changes when a file in `kept` is changed."""
    held = sorted((path.name, path.stat()) for path in kept.iterdir())
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in held)


def _kept_at(version: Version) -> Path:
    name = hashlib.sha256(f"{version.run_id} {version.source}".encode()).hexdigest()[:16]
    return settings.load().cache / "bundles" / name
