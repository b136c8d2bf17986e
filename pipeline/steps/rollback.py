"""Tasks of a rollback, `validate_target` to `close`: back to an earlier version.

A version is a bundle, so weights and threshold go back together. Each task may be killed at any
point and run again, by itself or in another run: an interrupted rollback is completed before
anything new is decided, so that a rollback triggered twice goes back once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict, cast

import structlog

from pipeline import lineage, log_context
from pipeline.data.grid import as_day
from pipeline.errors import DataError, PromotionConflict
from pipeline.ledger import Decision
from pipeline.locking import promotion_lock
from pipeline.records import Payload, from_json, to_json
from pipeline.registry import pages, promotion, tags
from pipeline.registry.connection import Client, connect
from pipeline.settings import Deployment
from pipeline.steps import fan_out, ledger_state, metrics_hooks, rescoring
from pipeline.steps.candidate import detector_named
from pipeline.steps.champion import change_champion, sync_aliases
from pipeline.steps.live import nothing_live
from pipeline.steps.rollback_target import ledger_record, unfinished, wanted_version
from pipeline.steps.scoring import ScoringOutcome

PREVIOUS = promotion.PREVIOUS

log = structlog.get_logger()


@dataclass(frozen=True)
class RollbackPlan:
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


@dataclass(frozen=True)
class RollbackResult(RollbackPlan):
    """A rollback after `set_champion`; `moved` says whether another version is live."""

    moved: bool


@dataclass(frozen=True)
class FinishedRollback(RollbackResult):
    """A rollback whose days are scored again; `rescored` has those that were left, by version."""

    rescored: dict[str, ScoringOutcome]


class RescoreGroup(TypedDict):
    """Days to score again, of those that a rolled-back version scored."""

    detector: str
    version: int
    days: list[str]


@lineage.stage("rollback")
def validate_target(
    here: Deployment,
    detector: str,
    *,
    target: str,
    reason: str,
    who: str,
    only_if_live: int | None = None,
) -> Payload[RollbackPlan]:
    """Check whether the champion may be rolled back to `target`; complete interrupted changes.

    Args:
        here: the deployment.
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
    spec = detector_named(here, detector)
    client = connect(here)
    with promotion_lock(here, detector):
        held = sync_aliases(here, client, detector)
    live = held.live.version if held.live else None
    if live is None:
        msg = f"There is nothing to roll back: {nothing_live(here, detector)}"
        raise DataError(msg)
    if stays := _why_nothing_is_moved(here, client, live, detector, target, only_if_live):
        return to_json(RollbackPlan(detector, None, None, stays, who, _page(here, detector, live)))
    wanted = wanted_version(here, client, spec, held, target)
    number = wanted.version.number
    page = _page(here, detector, number)
    return to_json(RollbackPlan(detector, live, number, reason.strip(), who, page))


@lineage.job("rollback")
def set_champion(
    here: Deployment, payload: Payload[RollbackPlan], *, target: str, reason: str, who: str
) -> Payload[RollbackResult]:
    """Write the rollback to the ledger and point `champion` to the target.

    `payload` comes from `validate_target` through Airflow, where any task may write it, and only
    says whether to go on. What goes live is asked for once more here, where the key is.

    Raises:
        DataError: the target may not go live.
        PromotionConflict: another version went live since `validate_target`, or `payload` names
            another target; nothing was moved.
    """
    checked = from_json(RollbackPlan, payload)
    if checked.target is None:
        log.info("nothing_moved", reason=checked.reason)
        return to_json(RollbackResult(**vars(checked), moved=False))
    spec = detector_named(here, checked.detector)
    held = ledger_state.verified(here, spec.name)
    wanted = wanted_version(here, connect(here), spec, held, target)
    number, live = wanted.version.number, held.live.version if held.live else None
    if (live, number) != (checked.leave, checked.target):
        msg = (
            f"The check was about a rollback of {spec.name} from version {checked.leave} to "
            f"{checked.target}, and it would be from {live} to {number} now. Nothing was moved; "
            "look again, then roll back again."
        )
        raise PromotionConflict(msg)
    log_context.bind_version(number)
    lineage.note_model(spec.name, number)
    run_id, card_sha256 = ledger_record(held, wanted.version)
    decision = Decision(
        action="rollback",
        detector=spec.name,
        version=number,
        replaced=live,
        who=who,
        why=reason.strip(),
        run_id=run_id,
        card_sha256=card_sha256,
        decided_at=datetime.now(UTC).isoformat(),
        bundle_sha256=wanted.bundle.digest,
    )
    change_champion(here, decision)
    lineage.note_model(spec.name, number, alias=promotion.CHAMPION, written=True)
    metrics_hooks.went_live(here, spec.name)
    log.info("rolled_back", left=live, to=number, reason=reason)
    return to_json(RollbackResult(**vars(checked), moved=True))


def plan_rescore(here: Deployment, payload: Payload[RollbackResult]) -> list[RescoreGroup]:
    """Arguments that `rescore` is mapped over: groups of days that rolled-back versions scored.

    Covers every unfinished rollback, not only this run's.
    """
    detector = str(payload["detector"])
    return [
        {"detector": detector, "version": version, "days": days}
        for version in unfinished(here, connect(here), detector)
        for days in fan_out.grouped(
            here, detector, rescoring.days_of(here, detector, version), "score again"
        )
    ]


def rescore(
    here: Deployment, detector: str, version: int, days: list[str], *, run: str
) -> ScoringOutcome:
    """Score `days` again; withdraw the incidents that the bad `version` raised on them."""
    wanted = [as_day(day) for day in days]
    return rescoring.withdraw_and_rescore(here, detector, version, run=run, days=wanted)


def close(
    here: Deployment, payload: Payload[RollbackResult], *, run: str
) -> Payload[FinishedRollback]:
    """Complete every unfinished rollback (normally nothing is left), and tag it as done."""
    detector = str(payload["detector"])
    client = connect(here)
    done: dict[str, ScoringOutcome] = {}
    for version in unfinished(here, client, detector):
        done[str(version)] = rescoring.withdraw_and_rescore(here, detector, version, run=run)
        tags.mark_rescored(client, detector, version)
    return cast("Payload[FinishedRollback]", payload | {"rescored": done})


def _why_nothing_is_moved(
    here: Deployment,
    client: Client,
    live: int,
    detector: str,
    target: str,
    only_if_live: int | None,
) -> str:
    """Why a requested rollback moves nothing; empty when it moves the champion."""
    if only_if_live is not None and live != only_if_live:
        return (
            f"Version {only_if_live} was to be rolled back, but version {live} of {detector} is "
            "live; nothing was moved."
        )
    if begun := unfinished(here, client, detector):
        asked_again = target in (PREVIOUS, str(live))
        return _finishing(begun, live) if asked_again else ""
    return ""


def _finishing(begun: tuple[int, ...], live: int) -> str:
    left = ", ".join(str(number) for number in begun)
    return (
        f"A rollback from version {left} to {live} was interrupted before its days were scored "
        "again; this run finishes it and moves nothing. Roll back again to go further back."
    )


def _page(here: Deployment, detector: str, number: int) -> str:
    return pages.version_page(here.mlflow_url, detector, number)
