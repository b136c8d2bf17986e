"""Tasks of a rollback, `check` to `finish`: back to an earlier version.

A version is a bundle, so weights and threshold go back together. Each task may be killed at any
point and run again, by itself or in another run: an interrupted rollback is completed before
anything new is decided, so that a rollback triggered twice goes back once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from pipeline import ledger, lineage, log_context, settings, staging
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.detector.bundle import Bundle
from pipeline.detector.sums import verify_sums
from pipeline.errors import BundleError, DataError
from pipeline.gate import GateVerdict
from pipeline.ledger import Decision
from pipeline.locking import promotion_lock
from pipeline.records import from_json, to_json
from pipeline.registry import pages, promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.settings import Settings
from pipeline.steps import ledger_state, metrics_hooks
from pipeline.steps.candidate import BUNDLE, GATE, candidates_of, detector_named
from pipeline.steps.going_live.champion import change_champion, sync_aliases
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import opened, rollback_target
from pipeline.steps.meaning import against_file, needs_message

PREVIOUS = promotion.PREVIOUS

log = structlog.get_logger()


@dataclass(frozen=True)
class Return:
    """A rollback that is possible.

    Attributes:
        detector: its name.
        leave: the live version that is rolled back; None: nothing is moved.
        target: the version to return to; None likewise.
        reason: one sentence: why, or why nothing is moved.
        who: the person or the watch that asked for it.
        page: MLflow's page of the version that is live afterwards.
    """

    detector: str
    leave: int | None
    target: int | None
    reason: str
    who: str
    page: str


@lineage.stage("rollback")
def check(
    detector: str,
    *,
    target: str,
    reason: str,
    who: str,
    only_if_live: int | None = None,
) -> dict[str, Any]:
    """Check whether the champion may be rolled back to `target`; complete interrupted changes.

    Args:
        detector: its name.
        target: a version number, or `previous`.
        reason: one sentence, for the ledger and the version that is rolled back.
        who: the person or the watch that asked for it.
        only_if_live: the version to roll back; if another is live by now, nothing is moved.

    Raises:
        DataError: the target does not exist, does not load, is live already, or was never live and
            did not pass its gate; or no reason was given.
    """
    if not reason.strip():
        msg = f"A rollback of {detector} needs a reason, one sentence; the ledger keeps it."
        raise DataError(msg)
    here, spec = settings.load(), detector_named(detector)
    client = connect(here)
    with promotion_lock(here, detector):
        held = sync_aliases(here, client, detector)
    live = held.live.version if held.live else None
    if live is None:
        msg = f"{detector} has no champion, so there is nothing to roll back; run its train DAG."
        raise DataError(msg)
    if stays := _why_nothing_is_moved(client, live, detector, target, only_if_live):
        return to_json(Return(detector, None, None, stays, who, _page(here, detector, live)))
    wanted = _wanted(here, client, spec, held, target)
    page = _page(here, detector, wanted.number)
    return to_json(Return(detector, live, wanted.number, reason.strip(), who, page))


@lineage.job("rollback")
def move(payload: dict[str, Any]) -> dict[str, Any]:
    """Write the rollback to the ledger and point `champion` to the target.

    Raises:
        PromotionConflict: another version went live since `check`; nothing was moved.
    """
    wanted = from_json(Return, payload)
    if wanted.target is None:
        log.info("nothing_moved", reason=wanted.reason)
        return payload | {"moved": False}
    here = settings.load()
    log_context.bind_version(wanted.target)
    lineage.note_model(wanted.detector, wanted.target)
    target = versions.by_number(connect(here), wanted.detector, wanted.target)
    if target is None:
        msg = f"Version {wanted.target} of {wanted.detector} was deleted meanwhile; choose another."
        raise DataError(msg)
    decision = Decision(
        action="rollback",
        detector=wanted.detector,
        version=wanted.target,
        replaced=wanted.leave,
        who=wanted.who,
        why=wanted.reason,
        run_id=target.run_id,
        card_sha256=ledger.card_hash(target.description),
        decided_at=datetime.now(UTC).isoformat(),
        bundle_sha256=opened(target, ledger_state.verified(here, wanted.detector)).bundle.digest,
    )
    change_champion(here, decision)
    lineage.note_model(wanted.detector, wanted.target, alias=promotion.CHAMPION, written=True)
    metrics_hooks.went_live(wanted.detector)
    log.info("rolled_back", left=wanted.leave, to=wanted.target, reason=wanted.reason)
    return payload | {"moved": True}


def plan(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Arguments that `rescore` is mapped over: groups of days that rolled-back versions scored.

    Covers every unfinished rollback, not only this run's.
    """
    from pipeline.steps.operation import fan_out, incidents

    detector = str(payload["detector"])
    return [
        {"detector": detector, "version": version, "days": days}
        for version in unfinished(connect(settings.load()), detector)
        for days in fan_out.grouped(detector, incidents.days_of(detector, version), "score again")
    ]


def rescore(detector: str, version: int, days: list[str], *, run: str) -> dict[str, Any]:
    """Score `days` again; withdraw the incidents that the bad `version` raised on them."""
    from pipeline.steps.operation import incidents

    wanted = [as_day(day) for day in days]
    return incidents.withdraw_and_rescore(detector, version, run=run, days=wanted)


def finish(payload: dict[str, Any], *, run: str) -> dict[str, Any]:
    """Complete every unfinished rollback (normally nothing is left), and tag it as done."""
    from pipeline.steps.operation import incidents

    detector = str(payload["detector"])
    client = connect(settings.load())
    done: dict[str, Any] = {}
    for version in unfinished(client, detector):
        done[str(version)] = incidents.withdraw_and_rescore(detector, version, run=run)
        tags.mark_rescored(client, detector, version)
    return payload | {"rescored": done}


def unfinished(client: Client, detector: str) -> tuple[int, ...]:
    """Versions that were rolled back and whose days have not all been scored again."""
    gone = ledger.rolled_back(ledger_state.read(settings.load(), detector).entries)
    every = versions.every(client, detector)
    due = (version.number for version in every if tags.is_rescoring_due(version))
    return tuple(number for number in due if number in gone)


def _why_nothing_is_moved(
    client: Client, live: int, detector: str, target: str, only_if_live: int | None
) -> str:
    """Why a requested rollback moves nothing; empty when it moves the champion."""
    if only_if_live is not None and live != only_if_live:
        return (
            f"Version {only_if_live} was to be rolled back, but version {live} of {detector} is "
            "live; nothing was moved."
        )
    if begun := unfinished(client, detector):
        asked_again = target in (PREVIOUS, str(live))
        return _finishing(begun, live) if asked_again else ""
    return ""


def _finishing(begun: tuple[int, ...], live: int) -> str:
    left = ", ".join(str(number) for number in begun)
    return (
        f"A rollback from version {left} to {live} was interrupted before its days were scored "
        "again; this run finishes it and moves nothing. Trigger again to go further back."
    )


def _wanted(
    here: Settings, client: Client, spec: DetectorSpec, held: LedgerState, target: str
) -> Version:
    """The version that `target` names, if it may go live."""
    live = held.live.version if held.live else None
    number = rollback_target(client, held) if target == PREVIOUS else _number(target)
    if number is None:
        msg = (
            f"{spec.name} has no previous version behind champion {live}; name a version by "
            "its number, or train a new one."
        )
        raise DataError(msg)
    found = versions.by_number(client, spec.name, number)
    if found is None:
        known = ", ".join(str(version.number) for version in versions.every(client, spec.name))
        msg = f"{spec.name} has no version {number}; there are {known}. Choose one of them."
        raise DataError(msg)
    if number == live:
        msg = f"Version {number} of {spec.name} is live already; choose another one to return to."
        raise DataError(msg)
    bundle = _usable(found, spec, held)
    was_live = number in {decision.version for decision in held.changes}
    if not was_live and (unproven := _why_no_gate(here, found, held, bundle.digest)):
        msg = (
            f"Version {number} of {spec.name} was never live and did not pass its gate "
            f"({unproven}); choose one that did."
        )
        raise DataError(msg)
    return found


def _why_no_gate(here: Settings, found: Version, held: LedgerState, digest: str) -> str:
    """Why nothing proves that a version passed its gate; empty when it did.

    The proof is the gate's verdict in the lake, where access to MLflow does not suffice to write;
    a tag proves nothing.
    """
    rejected = [e.decision for e in held.entries if e.decision.action == "rejection"]
    if refused := next((made for made in rejected if made.version == found.number), None):
        return refused.why
    if found.tags.get("gate") != "passed":
        return found.tags.get("reason", "not judged")
    name, place = found.tags.get("candidate", ""), candidates_of(here, held.detector)
    if name not in staging.names_at(place):
        return "the verdict of its gate is gone from the lake"
    verdict = from_json(GateVerdict, staging.read_json(f"{place}/{name}/{GATE}/verdict.json"))
    if not verdict.passed:
        return "its verdict in the lake says so"
    with staging.pulled(f"{place}/{name}/{BUNDLE}") as judged:
        return "" if verify_sums(judged) == digest else "its gate judged another bundle"


def _usable(found: Version, spec: DetectorSpec, held: LedgerState) -> Bundle:
    """The bundle of a version, if it loads and reads rows as the detector file describes them."""
    try:
        version = opened(found, held)
        lacks = against_file(version, spec)
    except BundleError as error:
        msg = (
            f"Version {found.number} of {spec.name} cannot serve ({error}); choose another version."
        )
        raise DataError(msg) from error
    if lacks:
        msg = (
            f"Version {found.number} of {spec.name} needs {needs_message(lacks)}; choose a "
            "later version, or give the file back what it said."
        )
        raise DataError(msg)
    return version.bundle


def _number(target: str) -> int:
    if not target.isdecimal():
        msg = f"{target!r} is not a version; give a version number, or {PREVIOUS!r}."
        raise DataError(msg)
    return int(target)


def _page(here: Settings, detector: str, number: int) -> str:
    return pages.version_page(here.mlflow_url, detector, number)
