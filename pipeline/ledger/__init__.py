"""The ledger: who promoted, rolled back or rejected what, why, and in which order."""

from __future__ import annotations

from pipeline.ledger.entries import (
    Action,
    Decision,
    Entry,
    card_hash,
    chain,
    changes,
    from_row,
    line_of_champions,
    to_row,
    verify,
)

__all__ = [
    "Action",
    "Decision",
    "Entry",
    "card_hash",
    "chain",
    "changes",
    "from_row",
    "line_of_champions",
    "to_row",
    "verify",
]
