from dataclasses import replace

import pytest

from pipeline.errors import DataError
from pipeline.ledger import (
    Decision,
    Entry,
    chain,
    changes,
    from_row,
    line_of_champions,
    to_row,
    verify,
)


def decision(version: int) -> Decision:
    return Decision(
        action="promotion",
        detector="pump",
        version=version,
        replaced=version - 1 or None,
        who="scheduler",
        why="passed 10 of 10 checks",
        run_id=f"run-{version}",
        card_sha256="ab" * 32,
        decided_at="2014-04-01T00:00:00+00:00",
    )


def ledger(length: int) -> list[Entry]:
    entries: list[Entry] = []
    for version in range(1, length + 1):
        entries.append(chain(decision(version), entries[-1] if entries else None))
    return entries


def test_an_untouched_ledger_verifies():
    verify(ledger(3))


def test_a_changed_entry_breaks_the_chain_where_it_was_changed():
    entries = ledger(3)
    entries[1] = replace(entries[1], decision=replace(entries[1].decision, who="nobody"))

    with pytest.raises(DataError, match=r"entry 2 .* at position 2"):
        verify(entries)


def test_a_rewritten_entry_breaks_the_chain_behind_it():
    entries = ledger(3)
    entries[1] = chain(replace(entries[1].decision, who="nobody"), entries[0])

    with pytest.raises(DataError, match="entry 3"):
        verify(entries)


def test_a_removed_entry_is_missed():
    entries = ledger(3)
    del entries[1]

    with pytest.raises(DataError, match=r"entry 3 .* at position 2"):
        verify(entries)


@pytest.mark.parametrize("version", [1, 2])
def test_an_entry_survives_its_table_row(version):
    entry = ledger(2)[version - 1]

    assert from_row(to_row(entry)) == entry


def test_a_row_read_back_with_nan_for_none_is_the_same_entry():
    entry = ledger(1)[0]
    row = to_row(entry) | {"replaced": float("nan")}

    assert from_row(row) == entry


def line_after(*steps: int) -> tuple[int, ...]:
    """The line of champions after promotions (positive) and rollbacks to a version (negative)."""
    return line_of_champions(
        [
            replace(decision(abs(step)), action="promotion" if step > 0 else "rollback")
            for step in steps
        ]
    )


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ((), ()),
        ((1, 2, 3), (1, 2, 3)),
        ((1, 2, 3, -2), (1, 2)),
        ((1, 2, 3, -2, -1), (1,)),
        ((1, 2, 3, -1), (1,)),
        ((1, 2, -1, 3), (1, 3)),
        ((1, 2, 3, -2, 4), (1, 2, 4)),
        ((1, 2, 3, -2, -3), (1, 3)),
        ((1, 2, 3, 2), (1, 3, 2)),
    ],
)
def test_what_was_rolled_back_is_not_on_the_way_back(steps, line):
    assert line_after(*steps) == line


def test_rejections_change_nothing_that_is_live():
    entries = ledger(2)
    rejected = replace(decision(3), action="rejection")

    assert [d.version for d in changes([*entries, chain(rejected, entries[-1])])] == [1, 2]
