"""Rollback without servers: the registry is a fake, the ledger and its lock are real."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from pipeline import settings
from pipeline.detector.bundle.sums import write_sums
from pipeline.detector.inputs.schema import schema_for
from pipeline.errors import BundleError, DataError, PromotionConflict
from pipeline.gate import GateVerdict
from pipeline.ledger import Decision
from pipeline.records import to_json
from pipeline.registry import tags
from pipeline.steps import champion, rescoring, rollback, rollback_target
from tests import ledger_entries
from tests.builders import make_spec
from tests.steps.fake_registry import FakeRegistry

FEATURES = make_spec().columns.model_dump(mode="json")["features"]

DIGEST = "1c6946bd5cfa18b9d7dc13485eb93ff270062a663d887f67649187f2c11647da"
"""Of the list of hashes of a bundle with one file, which holds `the bundle`."""


def decided(version, *, action="promotion", replaced=None):
    return Decision(
        action=action,
        detector="pumps",
        version=version,
        replaced=replaced,
        who="ada",
        why="because",
        run_id=f"run-{version}",
        card_sha256="",
        decided_at=f"2024-02-{version:02d}T00:00:00+00:00",
    )


@pytest.fixture
def registry(here, monkeypatch):
    """Versions 1, 2 and 3 went live one after the other; 4 was rejected, 5 waits."""
    fake = FakeRegistry(versions=5)
    fake.aliases = {"champion": 3, "previous": 2, "challenger": 5}
    fake.tags[4] |= {"gate": "rejected", "reason": "latency is 2 s"}
    fake.tags[5] |= {"gate": "passed"}
    for module in (rollback, champion):
        monkeypatch.setattr(module, "connect", {here: fake}.get)
    for version in (1, 2, 3):
        ledger_entries.write(here, decided(version, replaced=version - 1 or None))
    content = make_spec().model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    return fake


@pytest.fixture
def rescored(monkeypatch):
    """The versions whose days were scored again."""
    versions: list[int] = []

    def withdraw_and_rescore(_here, _detector, bad_version, *, run):
        assert run
        versions.append(bad_version)
        return {"days": 2}

    monkeypatch.setattr(rescoring, "withdraw_and_rescore", withdraw_and_rescore)
    return versions


@pytest.fixture(autouse=True)
def loads(monkeypatch):
    """Every version loads and reads the detector's features."""
    monkeypatch.setattr(
        rollback_target,
        "opened",
        lambda _, version, _held, **__: fitted_on(make_spec(), version),
    )


def fitted_on(spec, version):
    """A version whose bundle says that it was fitted under the file `spec`."""
    schema = schema_for(spec)
    return SimpleNamespace(version=version, bundle=SimpleNamespace(schema=schema, digest=DIGEST))


def check(target="previous", *, reason="It flags half of all rows.", **how):
    return rollback.validate_target(
        settings.load(), "pumps", target=target, reason=reason, who="ada", **how
    )


def move(checked, target="previous", *, reason="It flags half of all rows.", who="ada"):
    return rollback.set_champion(settings.load(), checked, target=target, reason=reason, who=who)


def roll_back(target="previous", **how):
    return rollback.close(
        settings.load(), move(check(target, **how), target), run="pumps__rollback/r1"
    )


def last_decision(here):
    entries = ledger_entries.entries(here, "pumps")
    return entries[-1].decision


def test_the_previous_version_is_live_again_and_the_ledger_says_why(here, registry, rescored):
    outcome = roll_back()

    decision = last_decision(here)
    assert outcome["moved"]
    assert registry.aliases["champion"] == 2
    assert (decision.action, decision.version, decision.replaced) == ("rollback", 2, 3)
    assert (decision.who, decision.why) == ("ada", "It flags half of all rows.")
    assert rescored == [3]


@pytest.mark.usefixtures("rescored")
def test_a_rolled_back_version_is_tagged_and_no_rollback_target(registry):
    roll_back()

    assert registry.aliases["previous"] == 1
    assert registry.said(3) == {
        "status": "rolled_back",
        "rolled_back": "It flags half of all rows.",
        "rescoring": "done",
    }
    assert registry.tags[2]["status"] == "champion"


def test_two_rollbacks_go_back_two_versions_and_a_third_has_nowhere_to_go(registry, rescored):
    roll_back()
    roll_back()

    assert registry.aliases == {"champion": 1, "challenger": 5}
    assert rescored == [3, 2]
    with pytest.raises(DataError, match="no previous version behind champion 1"):
        check()


def test_a_version_that_was_pruned_is_no_rollback_target(registry):
    del registry.tags[2]

    assert check()["target"] == 1


@pytest.mark.usefixtures("rescored")
def test_a_person_may_bring_back_a_rolled_back_version_by_number(here, registry):
    roll_back()

    roll_back("3", reason="The sensor was at fault, not version 3.")

    assert registry.aliases == {"champion": 3, "previous": 1, "challenger": 5}
    assert registry.said(3) == {"status": "champion"}
    assert last_decision(here).replaced == 2


@pytest.mark.usefixtures("rescored")
def test_a_candidate_that_passed_its_gate_may_be_a_target(here, registry):
    judged(here, registry, passed=True)

    roll_back("5")

    assert registry.aliases == {"champion": 5, "previous": 2}
    assert last_decision(here).bundle_sha256 == DIGEST


def judged(here, registry, *, passed, content="the bundle"):
    """The gate's files in the lake of candidate c5, which became version 5."""
    folder = Path(here.storage) / "pumps" / "candidates" / "c5"
    (folder / "gate").mkdir(parents=True)
    verdict = to_json(GateVerdict(passed=passed, reason="because", results=(), champion=3))
    (folder / "gate" / "verdict.json").write_text(json.dumps(verdict))
    (folder / "bundle").mkdir()
    (folder / "bundle" / "detector.json").write_text(content)
    write_sums(folder / "bundle")
    registry.tags[5]["candidate"] = "c5"


@pytest.mark.parametrize(
    ("left", "message"),
    [
        (None, "the verdict of its gate is gone from the lake"),
        ({"passed": False}, "its verdict in the lake says so"),
        ({"passed": True, "content": "another bundle"}, "its gate judged another bundle"),
    ],
)
def test_a_tag_does_not_prove_that_a_version_passed_its_gate(here, registry, left, message):
    if left is not None:
        judged(here, registry, **left)

    with pytest.raises(DataError, match=rf"did not pass its gate \({message}\)"):
        check("5")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("3", "live already"),
        ("4", r"never live and did not pass its gate \(latency is 2 s\)"),
        ("7", "no version 7; there are 1, 2, 3, 4, 5"),
        ("best", "'best' is not a version"),
    ],
)
def test_an_impossible_target_is_refused_before_anything_moves(here, registry, target, message):
    with pytest.raises(DataError, match=message):
        check(target)

    assert registry.aliases["champion"] == 3
    assert last_decision(here).version == 3


@pytest.mark.usefixtures("registry")
def test_a_rollback_needs_a_reason():
    with pytest.raises(DataError, match="needs a reason"):
        check(reason="  ")


@pytest.mark.usefixtures("registry")
def test_a_version_that_does_not_load_is_refused(monkeypatch):
    def damaged(_here, _version, _held):
        raise BundleError("model.onnx: is damaged")

    monkeypatch.setattr(rollback_target, "opened", damaged)

    with pytest.raises(DataError, match="Version 2 of pumps cannot serve"):
        check()


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"features": {**FEATURES, "noise": {"unit": "dB"}}}, "column noise, the file says none"),
        ({"entity": "machine"}, "column machine, the file says pump"),
        ({"cadence": "10min"}, "rows 0:10:00 apart, the file says 1:00:00"),
    ],
)
def test_a_version_that_needs_rows_of_another_meaning_is_refused(monkeypatch, schema, message):
    older = make_spec(schema=schema)
    monkeypatch.setattr(
        rollback_target, "opened", lambda _, version, _held, **__: fitted_on(older, version)
    )

    with pytest.raises(
        DataError, match=f"Version 2 of pumps needs {message}; choose a later version"
    ):
        check()


def test_the_watch_does_not_roll_back_a_version_that_went_live_meanwhile(registry, rescored):
    outcome = roll_back(only_if_live=2)

    assert not outcome["moved"]
    assert "version 3 of pumps is live" in outcome["reason"]
    assert registry.aliases["champion"] == 3
    assert rescored == []


@pytest.mark.usefixtures("registry")
def test_a_promotion_between_check_and_move_is_not_undone(here):
    checked = check()
    ledger_entries.write(here, decided(5, replaced=3))

    with pytest.raises(PromotionConflict, match="it would be from 5 to 3 now"):
        move(checked)

    assert last_decision(here).version == 5


def test_a_champion_that_is_gone_from_mlflow_can_be_left(here, registry, rescored):
    del registry.tags[3]

    roll_back()

    assert registry.aliases["champion"] == 2
    assert last_decision(here).replaced == 3
    assert rescored == []


def test_a_rollback_that_lost_its_rescoring_is_completed_and_goes_no_further(registry, rescored):
    move(check())  # and the run died here

    outcome = roll_back()

    assert not outcome["moved"]
    assert "Roll back again to go further back" in outcome["reason"]
    assert registry.aliases["champion"] == 2
    assert rescored == [3]


def test_a_version_stays_due_until_its_days_are_scored(registry, monkeypatch):
    monkeypatch.setattr(rescoring, "withdraw_and_rescore", lambda *_, **__: 1 / 0)
    moved = move(check())

    with pytest.raises(ZeroDivisionError):
        rollback.close(settings.load(), moved, run="r")

    assert registry.tags[3][tags.RESCORING] == "due"


@pytest.mark.parametrize("target", [1, 4, 5])
def test_a_target_that_another_task_put_into_the_check_is_not_moved_to(here, registry, target):
    """Any task of a deployment may write the values that tasks hand each other."""
    forged = check() | {"target": target, "who": "Alice the reviewer", "reason": "it is fine"}

    with pytest.raises(PromotionConflict, match="Nothing was moved"):
        move(forged)

    assert registry.aliases["champion"] == 3
    assert last_decision(here).version == 3


@pytest.mark.usefixtures("registry")
def test_a_version_that_failed_its_gate_is_not_moved_to_whoever_says_it_was_checked(here):
    forged = check() | {"target": 4}

    with pytest.raises(DataError, match="did not pass its gate"):
        move(forged, "4")

    assert last_decision(here).version == 3


@pytest.mark.usefixtures("registry")
def test_the_ledger_names_who_asked_for_it_and_not_who_the_check_says(here):
    move(check() | {"who": "Alice the reviewer", "reason": "it is fine"})

    assert (last_decision(here).who, last_decision(here).why) == (
        "ada",
        "It flags half of all rows.",
    )
