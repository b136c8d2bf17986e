"""The ledger holds or says what is wrong, and of several appends one wins."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import replace

import pytest
from deltalake import DeltaTable

from pipeline import ledger, settings, tables
from pipeline.errors import (
    PromotionConflict,
    UnprovenLedger,
)
from pipeline.ledger import keyring, keys
from pipeline.steps import champion, ledger_state, ledger_statements
from pipeline.steps.health import health_of
from tests.steps.attacked_plant import (
    DAY,
    NOW,
    ledger_table,
    next_change,
    rewrite,
    score,
    scorings,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_ledger_whose_newest_entry_was_cut_off_does_not_hold(plant):
    held = ledger_state.verified(plant.here, "pumps")
    rewrite(plant, list(held.entries[:1]))

    with pytest.raises(UnprovenLedger, match="has 1 entries, but had 2"):
        champion.repaired(settings.load(), "pumps")
    assert "entries were cut off" in health_of(settings.load(), "pumps", now=NOW).faults[0].what


def test_a_ledger_table_that_was_deleted_does_not_hold(plant):
    shutil.rmtree(ledger_table(plant).uri)

    assert "has 0 entries, but had 2" in health_of(settings.load(), "pumps", now=NOW).faults[0].what


def test_a_forged_promotion_fails_the_day(plant):
    held = ledger_state.verified(plant.here, "pumps")
    forged = replace(held.last.decision, version=1, replaced=2, who="Alice the reviewer")
    rewrite(plant, [*held.entries, ledger.chain(forged, held.last, keys.new_private_key())])

    with pytest.raises(UnprovenLedger, match="not proven by any key that is trusted here"):
        score()

    assert scorings(plant)[-1][0] == "failed"
    assert (
        health_of(settings.load(), "pumps", now=NOW).live.version == 1
    )  # shown with its fault, and not obeyed
    assert not health_of(settings.load(), "pumps", now=NOW).healthy


def attempt(version: int) -> str:
    """One promoter without any lock, which decided while version 2 was live."""
    here = settings.load()
    held = ledger_state.verified(here, "pumps")
    if held.live.version != 2:
        return "late"
    try:
        ledger_state.append(here, held, next_change(version, 2))
    except PromotionConflict:
        return "conflict"
    return "won"


def test_of_two_hundred_promoters_without_a_lock_one_wins(plant):
    """A deleted cache, another cache and a terminated session leave no lock; one still wins."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        answers = pool.map(attempt, range(100, 300), chunksize=1)

    assert answers.count("won") == 1
    assert len(ledger_state.verified(plant.here, "pumps").entries) == 3


def test_a_promoter_that_read_before_another_wrote_changes_nothing(plant):
    early = ledger_state.verified(plant.here, "pumps")
    ledger_state.append(plant.here, early, next_change(7, 2))

    with pytest.raises(PromotionConflict, match="Another decision about pumps came first"):
        ledger_state.append(plant.here, early, next_change(8, 2))

    assert ledger_state.verified(plant.here, "pumps").live.version == 7


def test_files_that_housekeeping_made_one_are_no_other_decision(plant):
    early = ledger_state.verified(plant.here, "pumps")
    DeltaTable(ledger_table(plant).uri).optimize.compact()

    made = ledger_state.append(plant.here, early, next_change(7, 2))

    assert made.live.version == 7
    assert ledger_state.verified(plant.here, "pumps").entries == made.entries


def test_a_key_that_was_replaced_writes_nothing(plant, monkeypatch):
    old = keyring.signer(plant.here, "ledger")
    keyring.rotate(plant.here.home, "ledger", keys.new_private_key())
    ledger_statements.rotated(settings.load(), "pumps", who="ada", why="yearly")
    public = (plant.here.home / "keys" / "ledger.public").read_text()
    monkeypatch.setenv("PLIMSOLL_LEDGER_PRIVATE_KEY", old.written)
    monkeypatch.setenv("PLIMSOLL_LEDGER_PUBLIC_KEYS", public)
    held = ledger_state.verified(plant.here, "pumps")

    with pytest.raises(UnprovenLedger, match="which was replaced by key"):
        ledger_state.append(plant.here, held, next_change(1, 2))

    assert ledger_state.verified(plant.here, "pumps").entries == held.entries


def strange_row(plant) -> dict[str, object]:
    last = ledger_state.verified(plant.here, "pumps").last
    return {"date": DAY, **ledger.to_row(last), "sequence": 3}


@pytest.mark.parametrize("column", ["sequence", "version", "decided_at"])
def test_a_row_that_is_not_a_ledger_entry_is_reported(plant, column):
    tables.append(ledger_table(plant), [{**strange_row(plant), column: None}])

    with pytest.raises(UnprovenLedger, match="is not a ledger entry"):
        score()
    assert scorings(plant)[-1][0] == "failed"
