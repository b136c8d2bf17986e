"""The ledger: read, proven and appended to. It alone decides what is live.

An append is a compare-and-set on the head: it is the commit that follows the version of the table
that was read, or it fails. So one of several concurrent promoters wins, even without a lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline import ledger
from pipeline.errors import PromotionConflict, TableConflict, UnprovenLedger
from pipeline.ledger import Decision, Entry, Head, LiveState, heads, keyring
from pipeline.ledger.proof import UNSIGNED
from pipeline.registry import tags
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.store.ledger import append_entry, read_entries

IN_POSTGRES = "in Postgres"

_TRIES = 5


@dataclass(frozen=True)
class LedgerState:
    """A detector's ledger as it was read.

    Attributes:
        detector: its name.
        entries: all of them, oldest first.
        version: of the table; None: the table does not exist yet.
    """

    detector: str
    entries: tuple[Entry, ...]
    version: int | None

    @property
    def last(self) -> Entry | None:
        """The newest entry."""
        return self.entries[-1] if self.entries else None

    @property
    def head(self) -> Head:
        """The end of the chain."""
        return ledger.head_of(self.last)

    @property
    def live(self) -> LiveState | None:
        """The live version; None without one."""
        return ledger.live_state(self.entries)

    @property
    def changes(self) -> tuple[Decision, ...]:
        """The promotions and rollbacks, oldest first."""
        return ledger.changes(self.entries)

    def digest_of(self, version: int) -> str:
        """The digest of the bundle of `version`; empty: no entry knows it."""
        return ledger.digest_of(self.entries, version)


def read(here: Deployment, detector: str) -> LedgerState:
    """The ledger as it is stored, not proven."""
    entries, version = read_entries(here, detector)
    return LedgerState(detector, entries, version)


def verified(here: Deployment, detector: str, versions: Iterable[Version] = ()) -> LedgerState:
    """The ledger, proven; `versions` as for `fault`.

    Raises:
        UnprovenLedger: its chain, a signature or its head does not hold.
        OutageError: the store or Postgres does not answer.
    """
    state = read(here, detector)
    refuse_unverified(here, state, fault(here, state, versions))
    return state


@dataclass(frozen=True)
class Kept:
    """The heads that were kept outside the table.

    Attributes:
        heads: those that a trusted key has signed, by where.
        strange: what is wrong with each of the others, by where.
    """

    heads: dict[str, Head]
    strange: dict[str, str]


def kept(here: Deployment, detector: str, versions: Iterable[Version] = ()) -> Kept:
    """The heads in Postgres, and on `versions`."""
    trusted = keyring.trusted(here, "ledger")
    found = Kept({}, {})
    if here.database is not None:
        try:
            head = heads.kept(here.database, detector, trusted)
        except ValueError as error:
            found.strange[IN_POSTGRES] = str(error)
        else:
            found.heads.update({IN_POSTGRES: head} if head else {})
    for version in versions:
        where, text = on_version(version.number), tags.ledger_head(version)
        try:
            found.heads.update({where: heads.from_text(detector, text, trusted)} if text else {})
        except ValueError as error:
            found.strange[where] = str(error)
    return found


def on_version(number: int) -> str:
    """The name of the place where the head of a version is kept."""
    return f"on version {number} in MLflow"


def fault(
    here: Deployment,
    state: LedgerState,
    versions: Iterable[Version] = (),
    *,
    keys_lost: bool = False,
) -> str:
    """The fault of the ledger `state` in one sentence; empty: it holds.

    `versions` are registered ones, whose tags hold the head as it was when they went live. A tag
    that no trusted key has signed is ignored, as whoever can write it can also remove it; a head in
    Postgres is not ignored, unless its key is lost for good (`keys_lost`).
    """
    found = kept(here, state.detector, versions)
    if IN_POSTGRES in found.strange and not keys_lost:
        return (
            f"{found.strange[IN_POSTGRES]} ({IN_POSTGRES}): this process has other public keys "
            "than the one that signed, or somebody else wrote it."
        )
    return _fault_of(here, state.detector, state.entries, found.heads)


def _fault_of(
    here: Deployment, detector: str, entries: tuple[Entry, ...], known: dict[str, Head]
) -> str:
    trusted, people = keyring.trusted(here, "ledger"), keyring.trusted(here, "answers")
    return ledger.fault_of(detector, entries, trusted, known, people)


def refuse_unverified(here: Deployment, state: LedgerState, found: str) -> None:
    """Return if nothing was `found` to be wrong.

    Raises:
        UnprovenLedger: something was; the message says how to fix it.
    """
    if not found:
        return
    shell, name = this_shell(here), state.detector
    if UNSIGNED in found:
        fix = (
            "Ledgers are signed since this release: vouch for it once with `"
            + shell.plimsoll("ledger", name, "--adopt", "--reason", "upgrade")
            + "` (docs/upgrade.md)."
        )
    else:
        fix = (
            f"Nothing of {name} is scored or promoted until it is clear why: docs/runbook.md, "
            f"'The ledger does not hold'. `{shell.plimsoll('ledger', name)}` shows all entries."
        )
    msg = f"The ledger of {name} does not hold: {found} {fix}"
    raise UnprovenLedger(msg)


def append(here: Deployment, state: LedgerState, decision: Decision) -> LedgerState:
    """Sign `decision` and append it to the ledger `state`; the caller keeps the new heads.

    Raises:
        PromotionConflict: another decision came first; nothing was written.
        UnprovenLedger: the ledger would not hold with it; nothing was written.
        ConfigError: this process does not hold the private key.
    """
    key = keyring.signer(here, "ledger")
    day = datetime.fromisoformat(decision.decided_at).date()
    for _ in range(_TRIES):
        entry = ledger.chain(decision, state.last, key)
        # Before it is written: an entry of a key that was replaced would stop everything.
        refuse_unverified(here, state, _fault_of(here, state.detector, (*state.entries, entry), {}))
        try:
            version = append_entry(here, state.detector, day, entry, version=state.version)
        except TableConflict:
            now = read(here, state.detector)
            if now.entries[: entry.sequence] == (*state.entries, entry):
                return now  # it was written, and the answer of the store was lost
            if now.head != state.head:
                break
            state = now  # housekeeping compacted the table, and decided nothing
            continue
        return LedgerState(state.detector, (*state.entries, entry), version)
    msg = (
        f"Another decision about {state.detector} came first, so version {decision.version} was "
        "not moved. Run the DAG again, so that it compares with what is live."
    )
    raise PromotionConflict(msg)


def keep_head(here: Deployment, state: LedgerState, *, shorter: bool = False) -> None:
    """Keep the head in Postgres, if there is one; `shorter`: even instead of a longer one."""
    if here.database is not None:
        key = keyring.signer(here, "ledger")
        url = here.ledger_database or here.database
        heads.keep(url, state.detector, state.head, key, shorter=shorter)


def head_text(here: Deployment, state: LedgerState) -> str:
    """The head as the tag of a version keeps it."""
    return heads.as_text(state.detector, state.head, keyring.signer(here, "ledger"))
