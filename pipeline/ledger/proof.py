"""Whether a ledger is what was written: chain, signatures, and the heads kept elsewhere. Pure.

The chain finds an entry that was changed, removed or slipped in. The signatures find a chain that
was computed again. The heads find a ledger whose end was cut off, or that is an older one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.ledger.answers import text_holds
from pipeline.ledger.entries import SIGNED, Entry, Head, hash_of, head_of, is_signed_by
from pipeline.ledger.history import evidence_of
from pipeline.ledger.keys import PublicKey

UNSIGNED = "was written by a release that did not sign, and no signed entry vouches for it"


def fault_of(
    detector: str,
    entries: Sequence[Entry],
    trusted: Sequence[PublicKey],
    heads: Mapping[str, Head],
    answers: Sequence[PublicKey],
) -> str:
    """The fault of a ledger in one sentence; empty: it is proven.

    Args:
        detector: whose ledger it should be.
        entries: all of them, oldest first.
        trusted: the public keys, oldest first. Once a key has signed, none before it counts.
        heads: the heads kept elsewhere, by their place.
        answers: the public keys that prove what people answered.
    """
    return (
        _chain(detector, entries)
        or _signatures(entries, trusted)
        or _approvals(entries, trusted, answers)
        or _heads(entries, heads)
    )


def _chain(detector: str, entries: Sequence[Entry]) -> str:
    last: Entry | None = None
    for entry in entries:
        if entry.decision.detector != detector:
            return f"{_named(entry)} is of {entry.decision.detector}, another detector."
        if entry.format < SIGNED and _later_columns(entry):
            return f"{_named(entry)} holds what no earlier release wrote: it was changed."
        if entry.format < SIGNED and last is not None and last.format == SIGNED:
            return f"{_named(entry)} is unsigned and lies behind a signed one: it was put there."
        head = head_of(last)
        right = hash_of(head.length + 1, entry.decision, head.hash, entry.format)
        if (entry.sequence, entry.previous_hash, entry.hash) != (head.length + 1, head.hash, right):
            return (
                f"{_named(entry)} does not continue the chain at position {head.length + 1}: the "
                "ledger was changed after it was written."
            )
        last = entry
    return ""


def _later_columns(entry: Entry) -> bool:
    """Whether an entry of the first format fills columns that its hash does not cover."""
    decision, signature = entry.decision, entry.signature
    later = (decision.bundle_sha256, decision.evidence, decision.approval)
    return any((*later, signature.key, signature.value))


def _signatures(entries: Sequence[Entry], trusted: Sequence[PublicKey]) -> str:
    signers = [_signer(entry, trusted) for entry in entries]
    newest = -1
    for place, (entry, signer) in enumerate(zip(entries, signers, strict=True)):
        if signer is None:
            if _vouched(entries, signers, place):
                continue
            return f"{_named(entry)} {_why_not(entry)}."
        if signer < newest:
            return (
                f"{_named(entry)} is signed by key {entry.signature.key}, which was replaced by "
                f"key {trusted[newest].id} before."
            )
        newest = signer
    return ""


def _signer(entry: Entry, trusted: Sequence[PublicKey]) -> int | None:
    """The place among the trusted keys of the one that signed `entry`."""
    if entry.format < SIGNED:
        return None
    found = (place for place, key in enumerate(trusted) if is_signed_by(entry, key))
    return next(found, None)


def _vouched(entries: Sequence[Entry], signers: Sequence[int | None], place: int) -> bool:
    """Whether a later adoption that is proven vouches for the entry at `place`.

    It must be signed by a key as new as any that has signed: a key that was replaced, and got into
    other hands, vouches for nothing.
    """
    newest = max((signer for signer in signers if signer is not None), default=-1)
    return any(
        entry.decision.action == "adoption" and signer == newest
        for entry, signer in zip(entries[place + 1 :], signers[place + 1 :], strict=True)
    )


def _approvals(
    entries: Sequence[Entry], trusted: Sequence[PublicKey], answers: Sequence[PublicKey]
) -> str:
    signers = [_signer(entry, trusted) for entry in entries]
    for place, entry in enumerate(entries):
        text = entry.decision.approval
        if text and not (text_holds(text, answers) or _vouched(entries, signers, place)):
            return f"{_named(entry)} rests on an approval that no trusted key of answers proves."
    return ""


def _why_not(entry: Entry) -> str:
    if entry.format < SIGNED:
        return UNSIGNED
    return (
        f"is not proven by any key that is trusted here (it says key {entry.signature.key or '-'})"
    )


def _heads(entries: Sequence[Entry], heads: Mapping[str, Head]) -> str:
    replaced = {
        (int(length), str(content))
        for entry in entries
        if entry.decision.action == "restoration"
        for length, content in evidence_of(entry.decision).get("instead_of", [])
    }
    for where, head in sorted(heads.items(), key=lambda each: -each[1].length):
        if not head.length or (head.length, head.hash) in replaced:
            continue
        if len(entries) < head.length:
            return (
                f"the ledger has {len(entries)} entries, but had {head.length} when its head was "
                f"last kept {where}: entries were cut off, or an older table was put in its place."
            )
        if entries[head.length - 1].hash != head.hash:
            return (
                f"entry {head.length} is another than the one whose head was kept {where}: the "
                "ledger was written again."
            )
    return ""


def _named(entry: Entry) -> str:
    number = f" of version {entry.decision.version}" if entry.decision.version else ""
    return f"Ledger entry {entry.sequence} ({entry.decision.action}{number})"
