"""Tasks of housekeeping: they delete what nothing needs any more.

Each logs and returns what it removed, or with `dry_run` what it would remove.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypedDict

import structlog

from pipeline import staging
from pipeline.config import DetectorSpec
from pipeline.locking import promotion_lock
from pipeline.monitoring.retention import VersionUses, needed_telemetry, reasons_to_keep
from pipeline.records import Payload, to_json
from pipeline.registry import promotion, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.retiring import delete_version, running_candidates
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.candidate import candidates_of, detector_named
from pipeline.store import upkeep
from pipeline.store.scorings import versions_that_scored
from pipeline.store.staged import folder_of
from pipeline.store.thresholds import weights_by_version
from pipeline.store.upkeep import Tidied

_ALIASES = (promotion.CHAMPION, promotion.CHALLENGER, promotion.PREVIOUS)

log = structlog.get_logger()


class PrunedVersions(TypedDict):
    """The numbers of the versions that were deleted, and why each of the others is kept."""

    deleted: list[int]
    kept: dict[str, str]


class ClearedFiles(TypedDict):
    """The folders of staged files that were deleted: of ingestions, and of candidates."""

    ingestions: list[str]
    candidates: list[str]


def prune_versions(
    here: Deployment, detector: str, *, now: datetime, dry_run: bool = False
) -> PrunedVersions:
    """Delete registered versions that nothing needs, by number, under the promotion lock.

    Raises:
        UnprovenLedger: the ledger does not hold; nothing is deleted.
        PromotionConflict: somebody gave a version an alias meanwhile; what comes after it stays.
    """
    spec = detector_named(here, detector)
    client = connect(here)
    with promotion_lock(here, detector):
        every = versions.every(client, detector)
        kept = reasons_to_keep(every, _evidence(here, client, spec, now))
        doomed = [version.number for version in every if version.number not in kept]
        for number in doomed:
            if not dry_run:
                delete_version(client, detector, number)
    log.info("versions_pruned", detector=detector, deleted=doomed, kept=len(kept), dry_run=dry_run)
    return {"deleted": doomed, "kept": {str(number): why for number, why in kept.items()}}


def clear_staging(
    here: Deployment, detector: str, *, now: datetime, dry_run: bool = False
) -> ClearedFiles:
    """Delete old staged files of ended ingestion runs and unused candidates.

    A candidate stays as long as its version is registered or its run has not ended.
    """
    spec = detector_named(here, detector)
    client = connect(here)
    before = now - timedelta(days=spec.housekeeping.staged_days)
    used = {each.tags.get("candidate", "") for each in versions.every(client, detector)}
    used |= running_candidates(client, detector)
    removed: ClearedFiles = {
        "ingestions": _cleared(folder_of(here, detector), set(), before, dry_run=dry_run),
        "candidates": _cleared(candidates_of(here, detector), used, before, dry_run=dry_run),
    }
    log.info("staging_cleared", detector=detector, dry_run=dry_run, **removed)
    return removed


def tidy_tables(
    here: Deployment, detector: str, *, now: datetime, dry_run: bool = False
) -> dict[str, Payload[Tidied]]:
    """Compact small files of the tables, and delete files that no needed version refers to.

    Returns:
        what became of the files of each table that changes.

    Raises:
        DataError: a registered version does not say what it was trained on, or would lose it;
            the files of `telemetry` stay.
    """
    spec = detector_named(here, detector)
    # After `prune_versions`, so that a deleted version keeps no files.
    needed = needed_telemetry(versions.every(connect(here), detector))
    before = now - timedelta(days=spec.housekeeping.history_days)
    tidied = upkeep.tidy_tables(
        here, detector, before=before, needed_telemetry=needed, dry_run=dry_run
    )
    found = {str(name): to_json(done) for name, done in tidied.items()}
    log.info("tables_tidied", detector=detector, dry_run=dry_run, **found)
    return found


def _cleared(place: str, needed: set[str], before: datetime, *, dry_run: bool) -> list[str]:
    """Delete the folders at `place` that are older than `before` and not `needed`; name them."""
    held = staging.folders_at(place)
    doomed = sorted(name for name, at in held.items() if at < before and name not in needed)
    for name in doomed:
        if not dry_run:
            staging.remove(f"{place}/{name}")
    return doomed


def _evidence(here: Deployment, client: Client, spec: DetectorSpec, now: datetime) -> VersionUses:
    window = timedelta(days=spec.housekeeping.history_days)
    since = now - window
    held = ledger_state.verified(here, spec.name)
    pointed = {alias: promotion.number_of(client, spec.name, alias) for alias in _ALIASES}
    return VersionUses(
        aliases={alias: number for alias, number in pointed.items() if number is not None}
        | ({promotion.CHAMPION: held.live.version} if held.live else {}),
        decisions=held.changes,
        scored=versions_that_scored(here, spec.name, since=since, days=window),
        weights=weights_by_version(here, spec.name),
        since=since.astimezone(UTC),
        newest=spec.housekeeping.versions,
    )
