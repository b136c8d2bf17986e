from dataclasses import replace

import pytest

from pipeline import tables
from pipeline.errors import TableConflict, UnprovenLedger
from pipeline.ledger import Decision, Entry
from pipeline.ledger.keys import Signature
from pipeline.store.ledger import append_entry, read_entries
from pipeline.tables import Table
from tests.builders import FIRST_DAY, moment, stored_in

DECISION = Decision(
    action="promotion", detector="pumps", version=1, replaced=None, who="ann", why="better",
    run_id="r", card_sha256="c", decided_at=moment(FIRST_DAY).isoformat(), bundle_sha256="b",
)  # fmt: skip


def entry(sequence: int) -> Entry:
    return Entry(sequence, DECISION, "before", f"hash {sequence}", 2, Signature("key", "signed"))


def test_entries_come_back_in_order_with_the_version_that_holds_them(tmp_path):
    here = stored_in(tmp_path)
    assert read_entries(here, "pumps") == ((), None)

    first = append_entry(here, "pumps", FIRST_DAY, entry(1), version=None)
    second = append_entry(here, "pumps", FIRST_DAY, entry(2), version=first)

    assert read_entries(here, "pumps") == ((entry(1), entry(2)), second)


def test_of_two_that_append_after_the_same_entry_one_fails(tmp_path):
    here = stored_in(tmp_path)
    first = append_entry(here, "pumps", FIRST_DAY, entry(1), version=None)
    append_entry(here, "pumps", FIRST_DAY, entry(2), version=first)

    with pytest.raises(TableConflict):
        append_entry(here, "pumps", FIRST_DAY, replace(entry(2), hash="other"), version=first)
    assert len(read_entries(here, "pumps")[0]) == 2


def test_a_row_that_is_no_entry_is_named(tmp_path):
    here = stored_in(tmp_path)
    tables.append(Table(here.storage, "pumps", "ledger"), [{"date": FIRST_DAY, "sequence": 1}])

    with pytest.raises(UnprovenLedger, match="row 1 is not a ledger entry"):
        read_entries(here, "pumps")
