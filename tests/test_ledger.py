"""The ledger, attacked as attack.md B8 does: by whoever can write its table, without the key."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.errors import ConfigError
from pipeline.ledger import (
    Decision,
    Entry,
    Head,
    answers,
    chain,
    champions_in_order,
    changes,
    digest_of,
    evidence_of,
    fault_of,
    from_row,
    head_of,
    heads,
    live_state,
    rolled_back,
    to_row,
)
from pipeline.ledger.entries import hash_of
from pipeline.ledger.keys import new_private_key, private_key, public_keys

KEY, NEXT, STRANGER = new_private_key(), new_private_key(), new_private_key()
TRUSTED = (KEY.public, NEXT.public)


def decision(version: int, action="promotion", **how) -> Decision:
    return Decision(
        **{
            "action": action,
            "detector": "pump",
            "version": version,
            "replaced": version - 1 or None,
            "who": "scheduler",
            "why": "passed 10 of 10 checks",
            "run_id": f"run-{version}",
            "card_sha256": "ab" * 32,
            "decided_at": f"2014-04-{version:02d}T00:00:00+00:00",
            "bundle_sha256": f"{version:064d}",
            **how,
        }
    )


def ledger(*decisions: Decision, key=KEY) -> list[Entry]:
    entries: list[Entry] = []
    for each in decisions:
        entries.append(chain(each, entries[-1] if entries else None, key))
    return entries


def three() -> list[Entry]:
    return ledger(*map(decision, (1, 2, 3)))


def old(length: int) -> list[Entry]:
    """As a release before signatures wrote it."""
    entries: list[Entry] = []
    for version in range(1, length + 1):
        made = decision(version, bundle_sha256="")
        head = head_of(entries[-1] if entries else None)
        content = hash_of(version, made, head.hash, 1)
        entries.append(Entry(version, made, head.hash, content, format=1))
    return entries


def fault(entries, *, trusted=TRUSTED, kept=None, people=()):
    return fault_of("pump", entries, trusted, kept or {}, people)


def test_an_untouched_ledger_holds():
    assert fault(three(), kept={"in Postgres": head_of(three()[1])}) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"who": "nobody"},
        {"why": "because"},
        {"bundle_sha256": "f" * 64},
        {"evidence": '{"threshold": 1e9}'},
        {"approval": "{}"},
        {"version": 9},
        {"replaced": 9},
        {"card_sha256": "0"},
        {"run_id": "other"},
        {"decided_at": "2013-01-01T00:00:00+00:00"},
        {"action": "rollback"},
    ],
)
def test_every_changed_column_breaks_the_chain_where_it_was_changed(change):
    entries = three()
    entries[1] = replace(entries[1], decision=replace(entries[1].decision, **change))

    assert "does not continue the chain at position 2" in fault(entries)


def test_a_removed_or_a_swapped_entry_breaks_the_chain():
    entries = three()

    assert "position 2" in fault([entries[0], entries[2]])
    assert "position 1" in fault([entries[1], entries[0], entries[2]])


def test_a_chain_that_was_computed_anew_is_proven_by_nobody():
    forged = ledger(*map(decision, (1, 2)), key=STRANGER)

    assert "entry 1 (promotion of version 1) is not proven by any key" in fault(forged)


def test_an_entry_cannot_borrow_the_signature_of_another():
    entries = three()
    forged = chain(replace(entries[1].decision, who="eve"), entries[0], STRANGER)
    entries[1:] = [replace(forged, signature=entries[1].signature)]

    assert "entry 2 (promotion of version 2) is not proven" in fault(entries)


def test_an_unsigned_entry_behind_signed_ones_is_refused():
    entries = three()
    made = decision(4, bundle_sha256="")
    content = hash_of(4, made, entries[-1].hash, 1)
    entries.append(Entry(4, made, entries[-1].hash, content, format=1))

    assert "is unsigned and lies behind a signed one: it was put there" in fault(entries)
    entries.append(chain(decision(4, "adoption"), entries[-1], KEY))
    assert "it was put there" in fault(entries)  # and nobody can vouch for it


def test_a_ledger_of_another_detector_is_none_of_this_one():
    message = fault_of("fan", three(), TRUSTED, {}, ())

    assert "entry 1 (promotion of version 1) is of pump, another detector" in message


@pytest.mark.parametrize(
    "more", [{"approval": "{}"}, {"evidence": '{"code": "x"}'}, {"bundle_sha256": "a" * 64}]
)
def test_columns_that_an_old_entry_does_not_cover_must_be_empty(more):
    entries = old(2)
    entries[0] = replace(entries[0], decision=replace(entries[0].decision, **more))
    entries.append(chain(decision(2, "adoption"), entries[-1], KEY))

    assert "holds what no earlier release wrote" in fault(entries)


def test_a_rejection_says_nothing_about_the_bundle_of_a_live_version():
    entries = ledger(decision(1), decision(1, "rejection", bundle_sha256="e" * 64))

    assert digest_of(entries, 1) == f"{1:064d}"


def test_what_was_rolled_back_is_so_until_a_person_brings_it_back():
    back = decision(1, "rollback", replaced=2, why="bad")
    entries = ledger(decision(1), decision(2), back)
    assert rolled_back(entries) == {2: "bad"}

    entries.append(chain(decision(2, "rollback", replaced=1), entries[-1], KEY))
    assert list(rolled_back(entries)) == [1]
    entries.append(chain(decision(0, "withdrawal", replaced=2), entries[-1], KEY))
    assert sorted(rolled_back(entries)) == [1, 2]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_ledger_whose_end_was_cut_off_does_not_fit_its_kept_head(left):
    entries = three()

    message = fault(entries[:left], kept={"in Postgres": head_of(entries[-1])})

    assert message.startswith(f"the ledger has {left} entries, but had 3 when its head")


def test_a_ledger_that_went_on_otherwise_from_an_older_one_does_not_fit_its_kept_head():
    entries = three()
    other = [*entries[:2], chain(decision(7), entries[1], KEY)]

    assert "entry 3 is another than the one" in fault(other, kept={"on 3": head_of(entries[-1])})


def test_a_restoration_says_which_head_it_replaces():
    entries = three()
    lost = head_of(entries[-1])
    kept = {"in Postgres": lost}
    evidence = f'{{"instead_of": [[{lost.length}, "{lost.hash}"]]}}'
    said = decision(2, "restoration", evidence=evidence)
    again = [*entries[:2], chain(said, entries[1], KEY)]

    assert fault(again, kept=kept) == ""
    by_stranger = [*entries[:2], chain(said, entries[1], STRANGER)]
    assert "not proven" in fault(by_stranger, kept=kept)
    assert live_state(again).version == 2


def test_a_key_that_was_replaced_signs_nothing_any_more():
    entries = three()
    entries.append(chain(decision(3, "rotation"), entries[-1], NEXT))
    assert fault(entries) == ""

    entries.append(chain(decision(4), entries[-1], KEY))

    assert f"is signed by key {KEY.public.id}, which was replaced by key" in fault(entries)


def test_an_adoption_vouches_for_what_an_earlier_release_wrote():
    entries = old(3)
    assert "did not sign" in fault(entries)
    adopted = decision(3, "adoption", evidence='{"bundles": {"2": "dd", "3": "ee"}}')

    entries.append(chain(adopted, entries[-1], KEY))

    assert fault(entries) == ""
    assert digest_of(entries, 2) == "dd"
    assert digest_of(entries, 1) == ""


def test_an_adoption_by_a_key_that_was_replaced_vouches_for_nothing():
    entries = [*ledger(decision(1), key=NEXT)]
    forged = chain(decision(2), entries[-1], STRANGER)
    entries += [forged, chain(decision(2, "adoption"), forged, KEY)]

    assert "entry 2 (promotion of version 2) is not proven" in fault(entries)


def test_an_approval_that_nobody_gave_is_found():
    people = new_private_key()
    given = answers.as_text({"who": "ada", "answer": "Approve"}, people)
    forged = answers.as_text({"who": "ada", "answer": "Approve"}, STRANGER)

    assert fault(ledger(decision(1, approval=given)), people=(people.public,)) == ""
    message = fault(ledger(decision(1, approval=forged)), people=(people.public,))
    assert "rests on an approval that no trusted key of answers proves" in message


@pytest.mark.parametrize("version", [1, 2])
def test_an_entry_survives_its_table_row(version):
    entry = three()[version - 1]

    assert from_row(to_row(entry)) == entry


def test_a_row_of_an_earlier_release_is_the_entry_that_it_was():
    entry = old(2)[1]
    row = {k: v for k, v in to_row(entry).items() if k not in ("format", "key", "signature")}
    row |= {"bundle_sha256": None, "evidence": float("nan"), "replaced": 1.0}

    assert from_row(row) == entry


def test_what_was_live_at_a_moment_is_what_the_entries_before_it_say():
    entries = three()
    entries.append(chain(decision(0, "withdrawal", replaced=3), entries[-1], KEY))
    entries[-1] = replace(
        entries[-1], decision=replace(entries[-1].decision, decided_at="2014-05-01T00:00:00+00:00")
    )

    def live(*day: int) -> int | None:
        found = live_state(entries, datetime(*day, 3, tzinfo=UTC))
        return found.version if found else None

    assert [live(2014, 3, 1), live(2014, 4, 1), live(2014, 4, 2), live(2014, 4, 9)] == [
        None, 1, 2, 3
    ]  # fmt: skip
    assert live(2014, 5, 2) is None
    assert live_state(entries) is None


def test_a_head_is_proven_by_the_key_of_the_ledger_and_is_of_one_detector():
    head = head_of(three()[-1])
    text = heads.as_text("pump", head, KEY)

    assert heads.from_text("pump", text, TRUSTED) == head
    for stranger in (text.replace("3 ", "2 ", 1), heads.as_text("pump", head, STRANGER)):
        with pytest.raises(ValueError, match="signed by no key that is trusted"):
            heads.from_text("pump", stranger, TRUSTED)
    with pytest.raises(ValueError, match="signed by no key"):
        heads.from_text("fan", text, TRUSTED)
    with pytest.raises(ValueError, match="which is no head"):
        heads.from_text("pump", "3 abc", TRUSTED)


@pytest.mark.parametrize("word", ["", "abc", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 44])
def test_a_word_that_is_no_key_is_named_by_its_place_and_not_repeated(word):
    with pytest.raises(ConfigError, match=r"/keys/ledger.private holds no private key") as error:
        private_key(word, "/keys/ledger.private")
    assert not word or word not in str(error.value).replace("`ed25519:`", "")


def test_a_list_of_public_keys_is_read_in_its_order():
    text = f"{KEY.public.written},\n{NEXT.public.written}\n"

    assert public_keys(text, "here") == TRUSTED
    assert private_key(KEY.written + "\n", "here").public == KEY.public
    assert KEY.written not in repr(KEY)


def path_after(*steps: int) -> tuple[int, ...]:
    """The path of champions after promotions (positive) and rollbacks to a version (negative)."""
    return champions_in_order(
        [
            replace(decision(abs(step)), action="promotion" if step > 0 else "rollback")
            for step in steps
        ]
    )


@pytest.mark.parametrize(
    ("steps", "path"),
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
def test_what_was_rolled_back_is_not_on_the_way_back(steps, path):
    assert path_after(*steps) == path


def test_rejections_change_nothing_that_is_live():
    entries = ledger(decision(1), decision(2), decision(3, "rejection"))

    assert [made.version for made in changes(entries)] == [1, 2]
    assert live_state(entries).version == 2
    assert evidence_of(entries[0].decision) == {}


def test_an_empty_ledger_holds_unless_a_head_says_otherwise():
    assert fault([]) == ""
    assert "has 0 entries, but had 1" in fault([], kept={"in Postgres": Head(1, "a")})
