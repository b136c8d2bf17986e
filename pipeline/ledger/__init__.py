"""The ledger: who promoted, rolled back or rejected what, why, and in which order.

The ledger decides what is live. Each entry carries the hash of the entry before it and an Ed25519
signature, and the head is kept outside the table: `entries`, `proof`, `heads`. `history` reads what
was live from it, `keys` and `keyring` hold the keys.
"""

from __future__ import annotations

from pipeline.ledger.entries import (
    NOTHING,
    Action,
    Decision,
    Entry,
    Head,
    card_hash,
    chain,
    from_row,
    head_of,
    to_row,
)
from pipeline.ledger.history import (
    LiveState,
    champions_in_order,
    changes,
    digest_of,
    evidence_of,
    live_state,
    rolled_back,
)
from pipeline.ledger.proof import fault_of

__all__ = [
    "NOTHING",
    "Action",
    "Decision",
    "Entry",
    "Head",
    "LiveState",
    "card_hash",
    "chain",
    "champions_in_order",
    "changes",
    "digest_of",
    "evidence_of",
    "fault_of",
    "from_row",
    "head_of",
    "live_state",
    "rolled_back",
    "to_row",
]
