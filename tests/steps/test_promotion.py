"""Promotion without servers: the registry is a fake, the ledger and its lock are real."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml

from pipeline import settings
from pipeline.errors import ConfigError, PromotionConflict, UnprovenAnswer, UnprovenBundle
from pipeline.ledger import Decision, answers, keyring
from pipeline.records import to_json
from pipeline.steps import approval, champion, promotion
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.decisions import decision_about
from tests import ledger_entries
from tests.builders import make_spec
from tests.steps.fake_registry import FakeRegistry

pytestmark = pytest.mark.usefixtures("registry")

RUN, AT = "pumps__train/r1", "2024-02-01T10:00:00Z"
PASSED = JudgedCandidate(
    candidate=Candidate("pumps", "2024-02-01-abc", "lake/pumps/candidates/c", run_id="m1"),
    version=2,
    passed=True,
    reason="All 12 checks passed.",
    champion=1,
    card="**Passed**",
    bundle_sha256="d" * 64,
    evidence="{}",
)


def answer(option, *, comment="", name="ada", judged=PASSED, run=RUN):
    """A person's answer about a candidate, as the task `approve` signs it."""
    asked = approval.question(to_json(judged), run=run)
    here = settings.load()
    return approval.signed(here, asked, who=name, answer=option, comment=comment, at=AT)


@pytest.fixture
def registry(here, monkeypatch):
    fake = FakeRegistry()
    fake.aliases = {"champion": 1, "challenger": 2}
    for module in (promotion, champion):
        monkeypatch.setattr(module, "connect", {here: fake}.get)
    described(here)
    monkeypatch.setattr(promotion, "opened", lambda *_, **__: with_digest("d" * 64))
    first = replace(PASSED, version=1, champion=None)
    decision = decision_about(first, "promotion", replaced=None, who="ada", why="the first")
    ledger_entries.write(here, decision)
    return fake


def described(here, **promotion):
    content = make_spec(promotion=promotion).model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))


def with_digest(digest):
    return SimpleNamespace(bundle=SimpleNamespace(digest=digest))


def promote(judged=PASSED, given=None):
    payload = to_json(judged)
    return promotion.promote(settings.load(), payload, answer=given, run=RUN)


def decisions(here):
    """The decisions after the first champion went live."""
    entries = ledger_entries.entries(here, "pumps")
    return [entry.decision for entry in entries[1:]]


def test_a_candidate_that_passed_goes_live(here, registry):
    outcome = promote()

    assert outcome["promoted"]
    assert outcome["replaced"] == 1
    assert registry.aliases == {"champion": 2, "previous": 1}
    assert registry.ended == {"m1": "passed"}
    assert [(d.action, d.replaced, d.who) for d in decisions(here)] == [("promotion", 1, RUN)]


def test_promoting_again_writes_no_second_entry(here):
    promote()

    again = promote()

    assert again["promoted"]
    assert len(decisions(here)) == 1


def test_a_candidate_that_failed_its_gate_moves_nothing_and_is_written_down(here, registry):
    failed = replace(PASSED, passed=False, reason="1 of 12 checks failed: latency is 2 s.")

    outcome = promote(failed)

    assert not outcome["promoted"]
    assert outcome["reason"] == failed.reason
    assert registry.aliases == {"champion": 1, "challenger": 2}
    assert [(d.action, d.version, d.why) for d in decisions(here)] == [
        ("rejection", 2, failed.reason)
    ]


def test_a_live_version_that_is_judged_again_is_not_written_down_as_rejected(here):
    promote(replace(PASSED, version=1, champion=1, passed=False, reason="no"))

    assert decisions(here) == []


def test_an_approval_goes_into_the_ledger_with_name_and_comment(here):
    promote(given=answer("Approve", comment="looks right"))

    (decision,) = decisions(here)
    assert decision.who == f"ada in {RUN}"
    assert decision.why == "All 12 checks passed. Approved (looks right)."


def test_an_approval_without_a_comment_says_just_that(here):
    promote(given=answer("Approve"))

    assert decisions(here)[0].why == "All 12 checks passed. Approved."


def test_a_person_who_rejects_keeps_the_champion(here, registry):
    outcome = promote(given=answer("Reject", comment="too soon"))

    assert outcome["reason"] == "ada rejected it (too soon)."
    assert registry.aliases == {"champion": 1}
    assert registry.tags[2] == {"status": "rejected", "reason": "ada rejected it (too soon)."}
    assert [(d.action, d.why) for d in decisions(here)] == [
        ("rejection", "ada rejected it (too soon).")
    ]


def test_a_question_that_nobody_answers_is_rejected_by_its_time_limit():
    outcome = promote(given=answer("Reject", name=""))

    assert outcome["reason"] == "The time limit rejected it."


def test_an_alias_that_was_set_by_hand_is_not_obeyed_and_follows_the_ledger(here, registry):
    registry.aliases["champion"] = 3

    promote()

    (made,) = decisions(here)
    assert (made.version, made.replaced) == (2, 1)
    assert registry.aliases == {"champion": 2, "previous": 1}


def test_a_version_that_an_alias_makes_champion_before_any_promotion_is_not_live(here, registry):
    registry.aliases = {"champion": 3}

    champion.sync_aliases(here, registry, "fans")

    assert registry.aliases == {}


def test_a_candidate_that_was_judged_against_another_champion_moves_nothing(here, registry):
    promote()

    with pytest.raises(PromotionConflict, match="champion is now version 2"):
        promote(replace(PASSED, version=3, champion=1))

    assert registry.aliases["champion"] == 2
    assert len(decisions(here)) == 1


def test_a_candidate_of_a_release_that_kept_no_digest_does_not_go_live(here, registry):
    with pytest.raises(UnprovenBundle, match="clear the task `gate`"):
        promote(replace(PASSED, bundle_sha256=""))

    assert registry.aliases == {"champion": 1, "challenger": 2}
    assert decisions(here) == []


def test_a_version_of_another_run_does_not_go_live(here, registry):
    registry.run = "m2"

    with pytest.raises(UnprovenBundle, match=r"comes from run m2 .* judged the one of run m1"):
        promote()

    assert decisions(here) == []


def test_an_announcement_in_mlflow_writes_nothing_into_the_ledger(here, registry):
    forged = {"action": "promotion", "detector": "pumps", "version": 3, "replaced": 1}
    forged |= {"who": "Alice the reviewer", "why": "12 of 12 checks passed.", "run_id": "m1"}
    registry.tags[3]["decision.announced"] = json.dumps(forged)
    registry.aliases["champion"] = 3

    champion.sync_aliases(here, registry, "pumps")

    assert registry.aliases["champion"] == 1
    assert decisions(here) == []


def test_an_approval_is_signed_by_the_key_of_answers(here):
    promote(given=answer("Approve", comment="looks right"))

    (decision,) = decisions(here)
    kept = json.loads(decision.approval)
    trusted = keyring.trusted(here, "answers")
    assert (kept["who"], kept["answer"], kept["version"]) == ("ada", "Approve", "2")
    assert answers.text_holds(decision.approval, trusted)
    assert not answers.text_holds(decision.approval.replace("ada", "eve"), trusted)
    assert kept["key"] not in {key.id for key in keyring.trusted(here, "ledger")}


def test_a_process_that_only_proves_does_not_promote(here, registry, monkeypatch):
    public = keyring.trusted(here, "ledger")[0].written
    monkeypatch.setenv("PLIMSOLL_LEDGER_PUBLIC_KEYS", public)

    with pytest.raises(ConfigError, match="no private key of ledger"):
        promote()

    assert registry.aliases == {"champion": 1, "challenger": 2}
    assert decisions(here) == []


NOW = "2024-02-01T00:00:00+00:00"


def test_a_version_that_was_rolled_back_does_not_come_back_by_a_rerun(here):
    promote()
    back = Decision("rollback", "pumps", 1, 2, "ada", "It flagged half.", "m1", "", NOW)
    ledger_entries.write(here, back)  # and the run died here, before any tag

    outcome = promote()

    assert not outcome["promoted"]
    assert "rolled back (It flagged half.)" in outcome["reason"]
    assert ledger_entries.entries(here, "pumps")[-1].decision.action == "rejection"


def test_the_rollback_target_is_the_previous_live_version(registry):
    promote()
    promote(replace(PASSED, version=3, champion=2))

    assert registry.aliases == {"champion": 3, "previous": 2}
    assert [registry.tags[n]["status"] for n in (1, 2, 3)] == ["retired", "previous", "champion"]


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        (lambda: answer("Reject").replace("Reject", "Approve"), "is not signed by a key"),
        (lambda: answer("Approve").replace("ada", "Alice the reviewer"), "is not signed by a key"),
        (lambda: json.dumps({"who": "Alice", "answer": "Approve"}), "is not signed by a key"),
        (lambda: "Approve", "is not signed by a key"),
        (lambda: {"chosen_options": ["Approve"]}, "is not signed by a key"),
        (lambda: answer("Approve", run="pumps__train/r0"), "its run is 'pumps__train/r0'"),
        (lambda: answer("Approve", judged=replace(PASSED, version=3)), "its version is '3'"),
        (lambda: answer("Approve", judged=replace(PASSED, card="nicer")), "its card_sha256 is"),
        (lambda: answer("Approve", judged=replace(PASSED, bundle_sha256="e")), "its bundle_sha256"),
    ],
    ids=[
        "no to yes",
        "name",
        "no signature",
        "no JSON",
        "of a release before",
        "run",
        "version",
        "card",
        "bundle",
    ],
)
def test_an_answer_that_nobody_gave_about_this_candidate_promotes_nothing(
    here, registry, forged, told
):
    """Any task of a deployment may write the values that tasks hand each other."""
    with pytest.raises(UnprovenAnswer, match=told):
        promote(given=forged())

    assert registry.aliases == {"champion": 1, "challenger": 2}
    assert decisions(here) == []


def test_a_question_that_was_left_out_promotes_nothing(here, registry):
    described(here, approval="human")

    with pytest.raises(UnprovenAnswer, match="needs a person's approval"):
        promote()

    assert registry.aliases == {"champion": 1, "challenger": 2}
    assert decisions(here) == []
