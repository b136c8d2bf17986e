"""Changing the live version so that any later run can complete an interrupted change.

A change is one append to the ledger and nothing else. Aliases and tags in MLflow follow from it
(`sync_aliases`). If the process is killed in between, the next run calls `sync_aliases` first and
does what the ledger says is left; a version that only an alias calls the champion is not live.
"""

from __future__ import annotations

import structlog

from pipeline.ledger import Decision
from pipeline.locking import promotion_lock
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import rollback_target

log = structlog.get_logger()


def change_champion(here: Deployment, decision: Decision) -> int | None:
    """Carry out a promotion or a rollback; return the version that was replaced.

    `decision.replaced` is the champion that was decided about. Called again after success it
    changes nothing; after a crash it completes the change.

    Raises:
        PromotionConflict: another version is live by now; nothing was moved.
        UnprovenLedger: the ledger does not hold; nothing was moved.
        ConfigError: this process does not hold the private key.
    """
    client, model = connect(here), decision.detector
    # The append decides who is first; the lock makes the others wait, and aliases follow in order.
    with promotion_lock(here, model):
        held = sync_aliases(here, client, model)
        current = held.live.version if held.live else None
        if current != decision.version:
            promotion.refuse_other_champion(current, decision.replaced, decision.version, model)
            held = ledger_state.append(here, held, decision)
        keep_heads(here, client, held)
        if current != decision.version:
            promotion.follow(client, decision, previous=rollback_target(client, held))
        return held.changes[-1].replaced


def keep_heads(
    here: Deployment, client: Client, held: LedgerState, *, shorter: bool = False
) -> None:
    """Keep the current head of a proven ledger in Postgres and on the live version.

    Also after a crash between an entry and its heads. `shorter`: a person has vouched for it.

    Raises:
        ConfigError: this process does not hold the private key.
    """
    if not held.entries:
        return
    ledger_state.keep_head(here, held, shorter=shorter)
    every = versions.every(client, held.detector)
    found = ledger_state.kept(here, held.detector, every)
    for version in every:
        where = ledger_state.on_version(version.number)
        is_live = held.live is not None and held.live.version == version.number
        if is_live and found.heads.get(where) != held.head:
            text = ledger_state.head_text(here, held)
            tags.keep_ledger_head(client, held.detector, version.number, text)
        elif where in found.strange:
            tags.forget_ledger_head(client, held.detector, version.number)


def sync_aliases(here: Deployment, client: Client, model: str) -> LedgerState:
    """Set aliases and tags to what the ledger says is live; return the ledger, proven.

    The caller holds the promotion lock. Where nothing differs it only reads.

    Raises:
        UnprovenLedger: the ledger does not hold; nothing is changed.
    """
    held = ledger_state.verified(here, model, versions.every(client, model))
    alias = promotion.number_of(client, model, promotion.CHAMPION)
    if held.live is None:
        if alias is not None:
            log.warning("champion_set_by_hand", detector=model, version=alias, live=None)
            promotion.point_at_nothing(client, model)
        return held
    live = held.live.version
    if versions.by_number(client, model, live) is None:
        log.warning("champion_is_gone_from_mlflow", detector=model, version=live)
    elif alias != live:
        log.warning("alias_follows_ledger", detector=model, alias=alias, version=live)
        promotion.follow(client, held.changes[-1], previous=rollback_target(client, held))
    else:
        promotion.point_previous(client, model, rollback_target(client, held))
    return held


def repaired(here: Deployment, detector: str) -> LedgerState:
    """Set aliases, tags and the kept heads to what the ledger says, under the promotion lock."""
    client = connect(here)
    with promotion_lock(here, detector):
        held = sync_aliases(here, client, detector)
        keep_heads(here, client, held)
        return held
