"""The ledger decides what is live: attacks in MLflow, in the lake and in the cache.

MLflow is a real one on SQLite, the tables and bundles are real: swapped bundles, forged and cut
ledgers, aliases and versions that somebody moved or deleted by hand.
"""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from pipeline import ledger, settings, tables
from pipeline.cli import main
from pipeline.data.label import Label
from pipeline.detector.bundle.sums import verify_sums
from pipeline.errors import (
    ConfigError,
    DataError,
    UnprovenAnswer,
    UnprovenBundle,
    UnprovenLedger,
)
from pipeline.ledger import keyring, keys
from pipeline.ledger.entries import Entry, hash_of, head_of
from pipeline.registry import connection, promotion
from pipeline.steps import ledger_state, ledger_statements, live
from pipeline.steps.health import health_of
from pipeline.store import answered
from pipeline.store.labels import add_labels, labels_as_of
from pipeline.tables import Table
from pipeline.tables.schemas import SCHEMAS
from tests.builders import days
from tests.steps.attacked_plant import (
    NOW,
    artifacts,
    forget_cache,
    ledger_table,
    next_change,
    rewrite,
    score,
    scorings,
    swap,
)
from tests.steps.plant_world import AS_OF

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_swapped_bundle_fails_its_day_by_name_and_is_never_served(plant):
    assert score()["version"] == 2
    swap(artifacts(plant)[1])
    forget_cache(plant)

    with pytest.raises(UnprovenBundle, match=r"digest .* judged and recorded with .* replaced"):
        score()

    verdict, reason = scorings(plant)[-1]
    assert verdict == "failed"
    assert "bundle of version 2 of pumps" in reason


def test_a_rollback_to_a_swapped_bundle_is_refused(plant):
    from pipeline.steps import rollback

    swap(artifacts(plant)[0])
    forget_cache(plant)

    with pytest.raises(DataError, match=r"Version 1 of pumps cannot serve \(.*its files were"):
        rollback.validate_target(settings.load(), "pumps", target="1", reason="bad", who="eve")


@pytest.mark.parametrize("alias", [1, None])
def test_an_alias_moved_by_hand_is_ignored_and_reported(plant, alias):
    if alias:
        plant.client.set_registered_model_alias("pumps", promotion.CHAMPION, str(alias))
    else:
        plant.client.delete_registered_model_alias("pumps", promotion.CHAMPION)

    assert score()["version"] == 2
    health = health_of(settings.load(), "pumps", now=NOW)

    points = "points to version 1" if alias else "is gone"
    (found,) = health.faults
    assert found.what.startswith(f"The alias champion {points}, but version 2 is live")
    assert found.command.endswith("ledger pumps --repair")
    assert not health.healthy
    assert health.live.version == 2


def test_an_experiment_that_was_deleted_comes_back_with_the_next_training(plant):
    found = plant.client.get_experiment_by_name("pumps")
    plant.client.delete_experiment(found.experiment_id)
    assert score()["version"] == 2

    from pipeline.steps import fitting

    day = (AS_OF + timedelta(days=2)).isoformat()
    fitting.train(
        settings.load(), fitting.window(settings.load(), "pumps", day), run="pumps__train/r2"
    )

    again = plant.client.get_experiment_by_name("pumps")
    assert (again.experiment_id, again.lifecycle_stage) == (found.experiment_id, "active")


def test_a_candidate_is_compared_with_nothing_less_than_the_live_version(plant):
    """A swapped champion must not free its successor from the checks that compare."""
    from pipeline.steps.live import readable

    held = ledger_state.verified(plant.here, "pumps")
    version = live.champion(settings.load(), "pumps").version
    swap(artifacts(plant)[1])
    forget_cache(plant)

    with pytest.raises(UnprovenBundle):
        readable(settings.load(), version, held)


def test_a_ledger_table_that_was_restored_to_an_older_version_does_not_hold(plant):
    DeltaTable(ledger_table(plant).uri).restore(1)

    assert "entries were cut off" in health_of(settings.load(), "pumps", now=NOW).faults[0].what
    made = ledger_statements.restored(
        settings.load(), "pumps", who="ada", why="the lake came back from a backup"
    )

    assert made.live.version == 1
    assert health_of(settings.load(), "pumps", now=NOW).faults == ()
    assert plant.aliases() == {"champion": 1}
    assert score()["version"] == 1


def unsigned(plant) -> list[Entry]:
    """The ledger as a release before signatures wrote it, with two labels and a head nowhere."""
    entries: list[Entry] = []
    for entry in ledger_state.verified(plant.here, "pumps").entries:
        bare = replace(entry.decision, bundle_sha256="", evidence="", approval="")
        head = head_of(entries[-1] if entries else None)
        content = hash_of(entry.sequence, bare, head.hash, 1)
        entries.append(Entry(entry.sequence, bare, head.hash, content, format=1))
    plain = ["date", "sequence", *list(asdict(entries[0].decision))[:9], "previous_hash", "hash"]
    shutil.rmtree(ledger_table(plant).uri)
    for entry in entries:
        day = datetime.fromisoformat(entry.decision.decided_at).date()
        row = {"date": day, **ledger.to_row(entry)}
        schema = pa.schema([SCHEMAS["ledger"].field(name) for name in plain])
        tables.append(ledger_table(plant), pa.Table.from_pylist([row], schema=schema))
    for number in ("1", "2"):
        plant.client.delete_model_version_tag("pumps", number, "ledger.head")
    schema = pa.schema([each for each in SCHEMAS["labels"] if each.name not in answered.PROOF])
    rows = [{**asdict(said), "date": said.created_at.date()} for said in LABELS]
    tables.append(Table(plant.here.storage, "pumps", "labels"), pa.Table.from_pylist(rows, schema))
    shutil.rmtree(plant.here.home / "keys")
    return entries


LABELS = [
    Label(
        start=datetime(*days(3)[-1].timetuple()[:3], hour, tzinfo=UTC),
        end=datetime(*days(3)[-1].timetuple()[:3], hour + 1, tzinfo=UTC),
        entity="a",
        verdict="incident",
        note="",
        author="ada",
        created_at=datetime(2026, 1, 5, tzinfo=UTC),
    )
    for hour in (3, 6)
]


def test_an_installation_of_before_upgrades_with_one_command_and_loses_nothing(
    plant, monkeypatch, capsys
):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    before = unsigned(plant)
    with pytest.raises(UnprovenLedger, match=r"ledger pumps --adopt --reason upgrade"):
        score()
    with pytest.raises(UnprovenAnswer, match=r"answer of ada .* is not signed"):
        labels_as_of(plant.here, "pumps", NOW)

    assert main(["ledger", "--adopt", "--reason", "upgrade", "--author", "ada"]) == 0

    assert "signed 2 labels of ada" in capsys.readouterr().out
    held = ledger_state.verified(plant.here, "pumps")
    assert list(held.entries[:-1]) == before
    assert (held.last.decision.action, held.last.decision.who) == ("adoption", "ada")
    assert held.live.version == 2
    assert {held.digest_of(1), held.digest_of(2)} == {verify_sums(f) for f in artifacts(plant)}
    assert labels_as_of(plant.here, "pumps", NOW) == tuple(LABELS)
    assert score()["version"] == 2
    assert health_of(settings.load(), "pumps", now=NOW).faults == ()
    capsys.readouterr()
    assert main(["ledger", "--adopt", "--reason", "again"]) == 0  # begun again, it does nothing
    assert ledger_state.verified(plant.here, "pumps").entries == held.entries


def test_an_adoption_does_not_vouch_for_a_bundle_that_its_gate_did_not_judge(plant):
    digest = live.champion(settings.load(), "pumps").bundle.digest
    plant.client.set_model_version_tag("pumps", "2", "bundle_sha256", digest)
    swap(artifacts(plant)[1])
    unsigned(plant)
    forget_cache(plant)

    with pytest.raises(UnprovenBundle, match="its files were replaced"):
        ledger_statements.adopt(settings.load(), "pumps", who="ada", why="upgrade")


def test_an_adoption_does_not_vouch_for_a_broken_chain(plant):
    entries = unsigned(plant)
    entries[0] = replace(entries[0], decision=replace(entries[0].decision, who="eve"))
    rewrite(plant, entries)

    with pytest.raises(UnprovenLedger, match="does not continue the chain at position 1"):
        ledger_statements.adopt(settings.load(), "pumps", who="ada", why="upgrade")


def test_a_forged_label_is_refused_by_its_readers(plant):
    add_labels(plant.here, "pumps", LABELS[:1])
    table = Table(plant.here.storage, "pumps", "labels")
    forged = {
        **asdict(LABELS[1]),
        "date": LABELS[1].created_at.date(),
        "key": "k",
        "signature": "s",
    }
    tables.append(table, [forged])

    with pytest.raises(UnprovenAnswer, match=r"ada .* is not proven by any key of answers"):
        labels_as_of(plant.here, "pumps", NOW)


def test_the_label_of_one_detector_is_not_valid_for_another(plant):
    add_labels(plant.here, "fans", LABELS[:1])
    rows = tables.read(Table(plant.here.storage, "fans", "labels"), keep_date=True)
    tables.append(Table(plant.here.storage, "pumps", "labels"), rows.to_dict("records"))

    assert len(labels_as_of(plant.here, "fans", NOW)) == 1
    with pytest.raises(UnprovenAnswer):
        labels_as_of(plant.here, "pumps", NOW)


def test_a_new_key_signs_on_and_the_old_one_no_more(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    old = keyring.signer(plant.here, "ledger")

    assert main(["ledger", "pumps", "--rotate", "--reason", "yearly"]) == 0

    held = ledger_state.verified(plant.here, "pumps")
    new = keyring.signer(plant.here, "ledger").public
    assert held.last.signature.key == new.id != old.public.id
    assert score()["version"] == 2
    forged = ledger.chain(next_change(1, 2), held.last, old)
    rewrite(plant, [*held.entries, forged])
    with pytest.raises(UnprovenLedger, match="which was replaced by key"):
        score()
    assert capsys.readouterr().out.startswith("pumps:   3  ")


def test_the_ledger_answers_what_was_live_then_by_whom_and_on_what(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    first, second = ledger_state.verified(plant.here, "pumps").entries
    middle = datetime.fromisoformat(second.decision.decided_at) - timedelta(microseconds=1)

    assert main(["ledger", "pumps", "--at", middle.isoformat()]) == 0
    printed = capsys.readouterr().out
    assert "version 1 was live" in printed
    assert f"bundle {first.decision.bundle_sha256[:12]}" in printed
    assert "test: made for a test" in printed
    assert main(["ledger", "pumps", "--at", "2001-01-01"]) == 0
    assert "nothing was live at 2001-01-01 00:00 UTC" in capsys.readouterr().out
    assert main(["ledger", "pumps"]) == 0
    assert capsys.readouterr().out.count("promotion of version") == 2


def test_all_keys_lost_is_repaired_by_one_command(plant, monkeypatch):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    shutil.rmtree(plant.here.home / "keys")
    with pytest.raises(UnprovenLedger, match="not proven by any key that is trusted here"):
        score()

    assert main(["ledger", "pumps", "--adopt", "--reason", "keys lost"]) == 0

    assert score()["version"] == 2
    assert health_of(settings.load(), "pumps", now=NOW).faults == ()
    assert main(["ledger", "pumps", "--verify"]) == 0


def test_lost_keys_of_answers_are_vouched_for_by_the_same_command(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    add_labels(plant.here, "pumps", LABELS)
    shutil.rmtree(plant.here.home / "keys")

    assert main(["ledger", "pumps", "--adopt", "--reason", "keys lost"]) == 0

    assert "signed 2 labels of ada" in capsys.readouterr().out
    assert labels_as_of(plant.here, "pumps", NOW) == tuple(LABELS)


def test_after_a_rotation_the_old_key_gives_no_answer(plant, monkeypatch):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    add_labels(plant.here, "pumps", LABELS[:1])
    stolen = keyring.signer(plant.here, "answers")
    assert main(["ledger", "pumps", "--rotate", "--reason", "stolen"]) == 0
    assert labels_as_of(plant.here, "pumps", NOW) == tuple(LABELS[:1])

    with monkeypatch.context() as thief:
        thief.setattr(keyring, "signer", lambda *_: stolen)
        add_labels(plant.here, "pumps", LABELS[1:])

    with pytest.raises(UnprovenAnswer, match="which was replaced"):
        labels_as_of(plant.here, "pumps", NOW)


def test_a_rotation_vouches_for_no_answer_that_nobody_signed(plant, monkeypatch):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    unsigned(plant)
    keyring.rotate(plant.here.home, "answers", keys.new_private_key())

    ledger_statements.sign_answers_anew(settings.load(), "pumps")

    with pytest.raises(UnprovenAnswer, match=r"answer of ada .* is not signed"):
        labels_as_of(plant.here, "pumps", NOW)


def test_a_private_key_that_others_may_read_signs_nothing(plant):
    (plant.here.home / "keys" / "ledger.private").chmod(0o640)

    with pytest.raises(ConfigError, match=r"mode 640; limit 600.*chmod 600"):
        keyring.signer(plant.here, "ledger")


def test_a_challenger_that_leads_to_another_store_does_not_stop_the_champion(plant):
    plant.client.create_model_version("pumps", "s3://not-ours/x")
    plant.client.set_registered_model_alias("pumps", "challenger", "3")

    assert score()["version"] == 2


def test_the_status_names_a_live_bundle_that_cannot_be_served(plant):
    forget_cache(plant)
    live._loaded.cache_clear()
    swap(artifacts(plant)[1])

    (fault,) = health_of(settings.load(), "pumps", now=NOW).faults

    assert "The bundle of the live version cannot be served" in fault.what
    live._loaded.cache_clear()


def test_an_unknown_name_is_reported(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())

    assert main(["ledger", "pres", "--verify"]) == 2
    assert "There is no detector 'pres'" in capsys.readouterr().err
    assert main(["ledger", "--withdraw", "--reason", "x"]) == 2
    assert "no detector is named" in capsys.readouterr().err
    assert ledger_state.verified(plant.here, "pumps").live.version == 2
