"""The ledger decides what is live: attacks in MLflow, in the lake and in the cache.

MLflow is a real one on SQLite, the tables and bundles are real: swapped bundles, forged and cut
ledgers, aliases and versions that somebody moved or deleted by hand.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from pipeline import ledger, settings, tables
from pipeline.cli import main
from pipeline.data.label import Label
from pipeline.detector.bundle.sums import verify_sums, write_sums
from pipeline.errors import (
    ConfigError,
    DataError,
    NothingLive,
    PromotionConflict,
    UnprovenAnswer,
    UnprovenBundle,
    UnprovenLedger,
)
from pipeline.ledger import Decision, keyring, keys
from pipeline.ledger.entries import Entry, hash_of, head_of
from pipeline.registry import connection, promotion
from pipeline.steps import champion, ledger_state, ledger_statements, live, scoring
from pipeline.steps.health import health_of
from pipeline.store import answered
from pipeline.store.labels import add_labels, labels_as_of
from pipeline.tables import Table
from pipeline.tables.schemas import SCHEMAS
from tests.builders import days
from tests.steps.plant_world import AS_OF, HISTORY, World, make_world, promote_trained

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DAY = days(HISTORY)[-1]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The farm with version 2 live, after version 1."""
    folder = tmp_path_factory.mktemp("farm") / "world"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_HOME", str(folder / "home"))
        world = make_world(folder, patch)
        promote_trained(world.here, AS_OF + timedelta(days=1))
        yield SimpleNamespace(world=world, folder=folder)


@pytest.fixture
def plant(made, tmp_path, monkeypatch):
    """A copy of the farm; the bundles lie where MLflow's database says, and are put back after."""
    here, kept = tmp_path / "world", tmp_path / "kept"
    shutil.copytree(made.folder, here)
    shutil.copytree(made.folder, kept)
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE", "HOME"):
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(here / variable.lower()))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/mlflow.db")
    yield World(settings.load(), made.world.spec)
    for folder in kept.glob("ml*/"):
        shutil.rmtree(made.folder / folder.name)
        shutil.copytree(folder, made.folder / folder.name)


def score() -> dict[str, object]:
    return scoring.score_days(settings.load(), "pumps", [DAY.isoformat()], run="score")


def scorings(plant) -> list[tuple[str, str]]:
    rows = tables.read(Table(plant.here.storage, "pumps", "scorings")).sort_values("commit")
    return list(zip(rows["verdict"], rows["reason"].fillna(""), strict=True))


def artifacts(plant) -> list[Path]:
    """The folders of bundles in MLflow's store, the oldest version first."""
    found = {}
    place = Path.cwd()  # MLflow on SQLite keeps artifacts below the working folder
    for path in sorted(place.glob("ml*/**/detector.json")):
        found[verify_sums(path.parent)] = path.parent
    held = ledger_state.verified(plant.here, "pumps")
    return [found[held.digest_of(number)] for number in (1, 2)]


def swap(folder: Path) -> None:
    """Raise the threshold of a bundle so that it flags nothing, and make its sums right again."""
    description = folder / "detector.json"
    content = json.loads(description.read_text())
    content["threshold"]["value"] = 1e9
    description.write_text(json.dumps(content))
    write_sums(folder)


def forget_cache(plant) -> None:
    shutil.rmtree(plant.here.cache / "bundles", ignore_errors=True)


def test_a_swapped_bundle_fails_its_day_by_name_and_is_never_served(plant):
    assert score()["version"] == 2
    swap(artifacts(plant)[1])
    forget_cache(plant)

    with pytest.raises(UnprovenBundle, match=r"digest .* judged and recorded with .* replaced"):
        score()

    verdict, reason = scorings(plant)[-1]
    assert verdict == "failed"
    assert "bundle of version 2 of pumps" in reason


def test_a_bundle_swapped_in_the_cache_is_fetched_again(plant):
    honest = live.champion(settings.load(), "pumps").bundle.threshold
    (kept,) = (path for path in (plant.here.cache / "bundles").iterdir())
    swap(kept)

    assert live.champion(settings.load(), "pumps").bundle.threshold == honest


def test_a_rollback_to_a_swapped_bundle_is_refused(plant):
    from pipeline.steps import rollback

    swap(artifacts(plant)[0])
    forget_cache(plant)

    with pytest.raises(DataError, match=r"Version 1 of pumps cannot serve \(.*its files were"):
        rollback.validate_target(settings.load(), "pumps", target="1", reason="bad", who="eve")


def test_files_that_are_gone_are_named(plant):
    shutil.rmtree(artifacts(plant)[1])
    forget_cache(plant)

    with pytest.raises(UnprovenBundle, match="bundle of version 2 of pumps is gone from MLflow"):
        score()


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


def test_repair_lets_the_alias_follow(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    plant.client.set_registered_model_alias("pumps", promotion.CHAMPION, "1")

    assert main(["ledger", "pumps", "--verify"]) == 1
    assert main(["ledger", "pumps", "--repair"]) == 0

    assert plant.aliases() == {"champion": 2, "previous": 1}
    assert "the ledger holds, 2 entries; version 2 is live" in capsys.readouterr().out


def test_a_version_that_was_deleted_is_named_and_nothing_takes_its_place(plant):
    plant.client.delete_model_version("pumps", "2")
    forget_cache(plant)

    with pytest.raises(
        UnprovenBundle, match="Version 2 of pumps is live by the ledger, and MLflow"
    ):
        score()
    assert "MLflow does not have it" in health_of(settings.load(), "pumps", now=NOW).faults[0].what


def test_a_model_that_was_renamed_is_named(plant):
    plant.client.rename_registered_model("pumps", "other")

    with pytest.raises(UnprovenBundle, match="deleted or renamed there"):
        score()


def test_a_run_that_was_deleted_changes_nothing(plant):
    run = live.champion(settings.load(), "pumps").version.run_id
    plant.client.delete_run(run)
    forget_cache(plant)

    assert score()["version"] == 2


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
    from pipeline.steps.comparing import readable

    held = ledger_state.verified(plant.here, "pumps")
    version = live.champion(settings.load(), "pumps").version
    swap(artifacts(plant)[1])
    forget_cache(plant)

    with pytest.raises(UnprovenBundle):
        readable(settings.load(), version, held)


def ledger_table(plant) -> Table:
    return Table(plant.here.storage, "pumps", "ledger")


def rewrite(plant, entries: list[Entry]) -> None:
    """Let the table hold `entries` and nothing else, as somebody who can write the lake would."""
    table = ledger_table(plant)
    uri = Path(table.uri)
    shutil.rmtree(uri)
    for entry in entries:
        day = datetime.fromisoformat(entry.decision.decided_at).date()
        tables.append(table, [{"date": day, **ledger.to_row(entry)}])


def test_a_ledger_whose_newest_entry_was_cut_off_does_not_hold(plant):
    held = ledger_state.verified(plant.here, "pumps")
    rewrite(plant, list(held.entries[:1]))

    with pytest.raises(UnprovenLedger, match="has 1 entries, but had 2"):
        champion.repaired(settings.load(), "pumps")
    assert "entries were cut off" in health_of(settings.load(), "pumps", now=NOW).faults[0].what


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


def next_change(version: int, replaced: int) -> Decision:
    now = datetime.now(UTC).isoformat()
    return Decision("promotion", "pumps", version, replaced, "r", "why", "m", "", now, "d" * 64)


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


def test_a_withdrawn_version_is_not_live_and_the_next_is_compared_with_nothing(plant):
    ledger_statements.withdraw(settings.load(), "pumps", who="ada", why="its bundle is lost")

    with pytest.raises(NothingLive):
        live.champion(settings.load(), "pumps")
    assert plant.aliases() == {}
    promote_trained(plant.here, AS_OF + timedelta(days=2))
    assert live.champion(settings.load(), "pumps").version.number == 3
    assert ledger_state.verified(plant.here, "pumps").changes[-1].replaced is None


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


@pytest.mark.parametrize("word", ["../../storage/pumps", "{storage}", "d" * 63, "D" * 64])
def test_a_tag_names_no_folder_that_is_removed(plant, word):
    """The digest becomes a folder of the cache, and a damaged folder of the cache is removed."""
    plant.client.set_registered_model_alias("pumps", "challenger", "2")
    digest = word.format(storage=plant.here.storage)
    plant.client.set_model_version_tag("pumps", "1", "bundle_sha256", digest)
    held = ledger_state.verified(plant.here, "pumps")
    version = live.versions.by_number(plant.client, "pumps", 1)

    with pytest.raises(UnprovenBundle, match="64 hexadecimal digits"):
        live.opened(settings.load(), version, replace(held, entries=()))

    assert Path(plant.here.storage, "pumps", "ledger").is_dir()


def test_a_bundle_that_is_swapped_while_it_is_loaded_is_not_served(plant, monkeypatch):
    forget_cache(plant)
    loaded = live.load_bundle
    other = artifacts(plant)[0]
    monkeypatch.setattr(live, "load_bundle", lambda _folder, **how: loaded(other, **how))
    live._loaded.cache_clear()

    with pytest.raises(UnprovenBundle, match="replaced in the cache while it was loaded"):
        live.champion(settings.load(), "pumps")
    live._loaded.cache_clear()


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


def test_a_head_that_was_missed_is_kept_by_the_next_run(plant):
    plant.client.delete_model_version_tag("pumps", "2", "ledger.head")
    decision = ledger_state.verified(plant.here, "pumps").last.decision

    champion.change_champion(plant.here, decision)  # a retry of the task, which appends nothing

    assert "ledger.head" in plant.client.get_model_version("pumps", "2").tags


def test_a_junk_head_on_a_version_blocks_nothing_and_is_reported(plant):
    plant.client.set_model_version_tag("pumps", "1", "ledger.head", "junk")

    assert score()["version"] == 2
    assert (
        "on version 1 in MLflow is signed by no key"
        in health_of(settings.load(), "pumps", now=NOW).faults[0].what
    )
    champion.repaired(settings.load(), "pumps")
    assert health_of(settings.load(), "pumps", now=NOW).faults == ()


@pytest.mark.parametrize("column", ["sequence", "version", "decided_at"])
def test_a_row_that_is_not_a_ledger_entry_is_reported(plant, column):
    tables.append(ledger_table(plant), [{**strange_row(plant), column: None}])

    with pytest.raises(UnprovenLedger, match="is not a ledger entry"):
        score()
    assert scorings(plant)[-1][0] == "failed"


def strange_row(plant) -> dict[str, object]:
    last = ledger_state.verified(plant.here, "pumps").last
    return {"date": DAY, **ledger.to_row(last), "sequence": 3}


def test_an_unknown_name_is_reported(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())

    assert main(["ledger", "pres", "--verify"]) == 2
    assert "There is no detector 'pres'" in capsys.readouterr().err
    assert main(["ledger", "--withdraw", "--reason", "x"]) == 2
    assert "no detector is named" in capsys.readouterr().err
    assert ledger_state.verified(plant.here, "pumps").live.version == 2
