"""The registry against a real MLflow server and the promotion lock against a real Postgres."""

from __future__ import annotations

import dataclasses
import multiprocessing
import uuid
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipeline import database
from pipeline import settings as deployment
from pipeline.errors import OutageError, PromotionConflict, UnprovenLedger
from pipeline.ledger import Decision
from pipeline.locking import promotion_lock
from pipeline.registry import promotion, runs, versions
from pipeline.registry.connection import connect
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.champion import change_champion
from pipeline.tables import Table
from tests import ledger_entries

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(stack, monkeypatch) -> Deployment:
    for name, value in stack.environment.items():
        if name.startswith(("PLIMSOLL_", "MLFLOW_")):
            monkeypatch.setenv(name, value)
    return deployment.load()


@pytest.fixture
def client(settings):
    return connect(settings)


@pytest.fixture
def model() -> str:
    return f"pump_{uuid.uuid4().hex[:8]}"


def registered(client, model: str, folder: Path, candidate: str) -> int:
    """A version whose files stand in for a bundle: the registry never looks inside."""
    bundle = folder / candidate / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "detector.json").write_text(f'{{"candidate": "{candidate}"}}')
    run = runs.find_or_start(client, detector=model, candidate=candidate, tags={})
    return versions.register(
        client, model=model, run_id=run.info.run_id, bundle=bundle, features=("flow",)
    ).number


def test_a_candidate_keeps_one_run_however_often_its_tasks_run(client, model):
    first = runs.find_or_start(client, detector=model, candidate="c1", tags={"a": "b"})
    again = runs.find_or_start(client, detector=model, candidate="c1", tags={"a": "b"})
    other = runs.find_or_start(client, detector=model, candidate="c2", tags={})

    assert again.info.run_id == first.info.run_id
    assert other.info.run_id != first.info.run_id


def test_registering_again_finds_the_same_version(client, model, tmp_path):
    first = registered(client, model, tmp_path / "a", "c1")
    again = registered(client, model, tmp_path / "b", "c1")

    assert again == first


def test_the_bundle_comes_back_as_it_was_registered(client, model, tmp_path):
    number = registered(client, model, tmp_path, "c1")
    client.set_registered_model_alias(model, "champion", str(number))

    found = versions.by_alias(client, model, "champion")
    folder = versions.download(found, tmp_path / "downloaded")

    assert (folder / "detector.json").read_text() == '{"candidate": "c1"}'


def test_an_alias_of_an_unknown_model_is_nobody(client, model):
    assert versions.by_alias(client, model, "champion") is None


def decided(model: str, to: int, expected: int | None) -> Decision:
    now = "2024-01-01T00:00:00+00:00"
    return Decision("promotion", model, to, expected, "test", "", "", "", now)


def promote(settings, model: str, to: int, *, expected: int | None) -> int | None:
    return change_champion(settings, decided(model, to, expected))


def test_a_promotion_keeps_the_previous_alias(client, settings, model, tmp_path):
    first = registered(client, model, tmp_path, "c1")
    second = registered(client, model, tmp_path, "c2")

    replaced = [
        promote(settings, model, first, expected=None),
        promote(settings, model, second, expected=first),
    ]

    assert replaced == [None, first]
    assert versions.by_alias(client, model, "champion").number == second
    assert versions.by_alias(client, model, "previous").number == first
    assert versions.by_alias(client, model, "previous").tags["status"] == "previous"


def test_a_promotion_again_changes_nothing(client, settings, model, tmp_path):
    first = registered(client, model, tmp_path, "c1")
    second = registered(client, model, tmp_path, "c2")
    promote(settings, model, first, expected=None)
    promote(settings, model, second, expected=first)

    replaced = promote(settings, model, second, expected=first)

    assert replaced == first
    assert versions.by_alias(client, model, "previous").number == first
    assert len(ledger_entries.entries(settings, model)) == 2


def test_a_champion_that_changed_meanwhile_is_not_overwritten(client, settings, model, tmp_path):
    first = registered(client, model, tmp_path, "c1")
    second = registered(client, model, tmp_path, "c2")
    promote(settings, model, first, expected=None)

    with pytest.raises(PromotionConflict, match=f"now version {first}. Nothing was moved"):
        promote(settings, model, second, expected=None)

    assert versions.by_alias(client, model, "champion").number == first


def test_all_versions_are_listed_and_one_that_is_deleted_is_nobody(client, model, tmp_path):
    numbers = [registered(client, model, tmp_path, f"c{n}") for n in range(3)]

    client.delete_model_version(model, str(numbers[1]))

    assert [each.number for each in versions.every(client, model)] == [numbers[0], numbers[2]]
    assert versions.by_number(client, model, numbers[1]) is None
    assert versions.by_number(client, model, numbers[2]).number == numbers[2]
    assert versions.every(client, "nobody") == ()


def test_a_rejected_candidate_stays_with_its_reason_and_changes_nothing_live(
    client, settings, model, tmp_path
):
    live = registered(client, model, tmp_path, "c1")
    candidate = registered(client, model, tmp_path, "c2")
    promote(settings, model, live, expected=None)
    promotion.set_challenger(client, model, candidate)

    promotion.reject(client, model, candidate, reason="realised_rate is 3 %")

    found = client.get_model_version(model, str(candidate))
    assert found.tags["status"] == "rejected"
    assert found.tags["reason"] == "realised_rate is 3 %"
    assert versions.by_alias(client, model, "champion").number == live
    assert versions.by_alias(client, model, "challenger") is None


def _promote(settings: Deployment, model: str, to: int, barrier, outcomes) -> None:
    barrier.wait()
    try:
        promote(settings, model, to, expected=None)
        outcomes.put((to, "promoted"))
    except PromotionConflict:
        outcomes.put((to, "refused"))


def test_of_two_gates_that_both_passed_one_promotes(client, settings, model, tmp_path):
    candidates = [registered(client, model, tmp_path, f"c{n}") for n in (1, 2)]
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(2), context.Queue()
    gates = [
        context.Process(target=_promote, args=(settings, model, to, barrier, outcomes))
        for to in candidates
    ]

    for gate in gates:
        gate.start()
    results = dict(outcomes.get(timeout=120) for _ in gates)
    for gate in gates:
        gate.join()

    assert sorted(results.values()) == ["promoted", "refused"]
    winner = next(number for number, outcome in results.items() if outcome == "promoted")
    assert versions.by_alias(client, model, "champion").number == winner


def test_the_postgres_lock_keeps_others_out(settings):
    with (
        promotion_lock(settings, "pump"),
        pytest.raises(OutageError, match="promotion of pump has held the lock"),
        promotion_lock(settings, "pump", wait_s=0.3),
    ):
        pass


def test_a_postgres_that_does_not_answer_is_an_outage(settings):
    unreachable = dataclasses.replace(settings, database="postgresql://127.0.0.1:1/none")

    with (
        pytest.raises(OutageError, match="PLIMSOLL_DATABASE does not answer"),
        promotion_lock(unreachable, "pump"),
    ):
        pass


def test_a_promoter_whose_session_was_ended_loses_to_the_one_that_came_in(
    client, settings, model, tmp_path
):
    """The lock is freed by a restart of Postgres; the head of the ledger is what decides."""
    first, second = (registered(client, model, tmp_path, f"c{n}") for n in (1, 2))
    with promotion_lock(settings, model):
        held = ledger_state.verified(settings, model)
        _end_sessions(settings)
        promote(settings, model, second, expected=None)  # another promoter, let in by now
        with pytest.raises(PromotionConflict, match=r"Another decision .* came first"):
            ledger_state.append(settings, held, decided(model, first, None))

    assert versions.by_alias(client, model, "champion").number == second
    assert ledger_state.verified(settings, model).live.version == second


def _end_sessions(settings: Deployment) -> None:
    with database.connected(settings.database) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = 'plimsoll'"
        )


def test_a_ledger_that_was_cut_off_does_not_fit_the_head_in_postgres(
    client, settings, model, tmp_path
):
    first, second = (registered(client, model, tmp_path, f"c{n}") for n in (1, 2))
    promote(settings, model, first, expected=None)
    promote(settings, model, second, expected=first)
    DeltaTable(Table(settings.storage, model, "ledger").uri).restore(1)

    with pytest.raises(UnprovenLedger, match=r"has 1 entries, but had 2 .* kept in Postgres"):
        ledger_state.verified(settings, model)
