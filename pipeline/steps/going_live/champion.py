"""Changing what is live, in a way that any later run can finish.

A change is one call to the registry. Before it the decision is announced on the version, after it
`settle` writes the ledger and lets aliases and tags follow. Whatever kills the process in between,
the next run calls `settle` first and finds from the announcement what was left to do.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from pipeline import ledger
from pipeline.ledger import Decision
from pipeline.locking import promotion_lock
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.registry.versions import Version
from pipeline.settings import Settings
from pipeline.steps.records import read_ledger, write_decision

BY_HAND = "unknown, past the gate"

log = structlog.get_logger()


def change_champion(here: Settings, decision: Decision) -> int | None:
    """Carry out a promotion or a rollback; the version that was replaced.

    `decision.replaced` is the champion that was decided about. Called again after success, or
    after a crash anywhere, it changes nothing or finishes what was begun.

    Raises:
        PromotionConflict: another version is live by now; nothing was moved.
    """
    client, model = connect(here), decision.detector
    with promotion_lock(here, model):
        settle(here, client, model)
        current = promotion.number_of(client, model, promotion.CHAMPION)
        if current != decision.version:
            promotion.refuse_other_champion(current, decision.replaced, decision.version, model)
            promotion.make_champion(client, decision)
            settle(here, client, model)
        return ledger.changes(read_ledger(here, model))[-1].replaced


def settle(here: Settings, client: Client, model: str) -> None:
    """Finish whatever made the live version live: ledger, tags, the aliases that follow.

    The caller holds the promotion lock. Without anything unfinished it only reads. A champion that
    no decision of ours explains was set by hand in MLflow, and the ledger says so.
    """
    live = versions.by_alias(client, model, promotion.CHAMPION)
    if live is None:
        return
    entries = read_ledger(here, model)
    ledger.verify(entries)
    done = ledger.changes(entries)
    begun = tags.announced(live)
    if begun is None and (not done or done[-1].version != live.number):
        begun = _found(model, live, replaced=done[-1].version if done else None)
        tags.announce(client, begun)
        log.warning("champion_set_by_hand", detector=model, version=live.number)
    if begun is not None:
        write_decision(here, begun)
        done = ledger.changes(read_ledger(here, model))
        promotion.follow(client, begun, previous=way_back(client, model, done))
    else:
        promotion.point_previous(client, model, way_back(client, model, done))


def way_back(client: Client, model: str, done: tuple[Decision, ...]) -> int | None:
    """The version to return to from the champion: the newest behind it that still exists.

    What was rolled back is not behind it, see `ledger.line_of_champions`.
    """
    behind = reversed(ledger.line_of_champions(done)[:-1])
    return next((n for n in behind if versions.by_number(client, model, n) is not None), None)


def _found(model: str, live: Version, *, replaced: int | None) -> Decision:
    return Decision(
        action="promotion",
        detector=model,
        version=live.number,
        replaced=replaced,
        who=BY_HAND,
        why="The alias champion was found here; it was set by hand in MLflow.",
        run_id=live.run_id,
        card_sha256=ledger.card_hash(live.description),
        decided_at=datetime.now(UTC).isoformat(),
    )
