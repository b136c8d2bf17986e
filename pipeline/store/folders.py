"""A detector's part of the lake as whole folders: which there are, archived, deleted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from pipeline import staging
from pipeline.settings import Deployment
from pipeline.tables.schemas import TABLES

_ARCHIVE = "_archive"
"""Folder beside those of the detectors; no detector can have this name."""


def detectors_in_lake(here: Deployment) -> list[str]:
    """Names of the detectors that have a folder in the lake; the archive is none.

    Raises:
        OutageError: the store does not answer.
    """
    return [name for name in staging.names_at(here.storage) if not name.startswith("_")]


def folders_of(here: Deployment, detector: str, staged: Collection[str]) -> tuple[str, ...]:
    """The folders of `detector`: its tables, and those of `staged` that are there.

    Foreign folders are left alone, and one without a table does not belong to a detector.
    """
    if detector not in detectors_in_lake(here):
        return ()
    there = staging.names_at(_home(here, detector))
    if not set(there) & set(TABLES):
        return ()
    return tuple(name for name in there if name in TABLES or name in staged)


def archive_for(here: Deployment, detector: str, now: datetime) -> str:
    """Where the folders of `detector` go when they are archived at `now`."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{here.storage.rstrip('/')}/{_ARCHIVE}/{detector}-{stamp}"


def archive_folders(
    here: Deployment, detector: str, folders: Collection[str], archive: str
) -> None:
    """Move `folders` into `archive`; may be repeated after an interruption."""
    for name in folders:
        staging.move(f"{_home(here, detector)}/{name}", f"{archive}/{name}")
    staging.remove_empty(_home(here, detector))


def delete_folders(here: Deployment, detector: str, folders: Collection[str]) -> None:
    """Delete `folders`; may be repeated after an interruption."""
    for name in folders:
        staging.remove(f"{_home(here, detector)}/{name}")
    staging.remove_empty(_home(here, detector))


def _home(here: Deployment, detector: str) -> str:
    return f"{here.storage.rstrip('/')}/{detector}"
