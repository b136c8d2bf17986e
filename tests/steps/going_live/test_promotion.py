"""Promotion without servers: the registry is a fake, the ledger and its lock are real."""

from dataclasses import replace

import pytest

from pipeline import ledger
from pipeline.errors import PromotionConflict
from pipeline.records import to_json
from pipeline.steps.candidate import Candidate
from pipeline.steps.going_live import champion, promotion
from pipeline.steps.records import append_decision, read_ledger
from pipeline.steps.training.gating import Judged
from tests.steps.fake_registry import FakeRegistry

pytestmark = pytest.mark.usefixtures("registry")

RUN = "pumps__train/r1"
PASSED = Judged(
    candidate=Candidate("pumps", "2024-02-01-abc", "lake/pumps/candidates/c", run_id="m1"),
    version=2,
    passed=True,
    reason="All 12 checks passed.",
    champion=1,
    card="**Passed**",
)


def answer(option, *, comment="", name="ada"):
    """A person's answer as Airflow 3.3 delivers it."""
    return {
        "chosen_options": [option],
        "params_input": {"comment": comment},
        "responded_at": "2024-02-01T10:00:00Z",
        "responded_by_user": {"id": name, "name": name} if name else None,
    }


@pytest.fixture
def registry(here, monkeypatch):
    fake = FakeRegistry()
    fake.aliases = {"champion": 1, "challenger": 2}
    for module in (promotion, champion):
        monkeypatch.setattr(module, "connect", {here: fake}.get)
    first = replace(PASSED, version=1, champion=None)
    append_decision(here, first, "promotion", replaced=None, who="ada", why="the first")
    return fake


def promote(judged=PASSED, given=None):
    payload = to_json(judged) | {"page": "http://mlflow/"}
    return promotion.promote(payload, answer=given, run=RUN)


def decisions(here):
    """What was decided after the first champion went live."""
    entries = read_ledger(here, "pumps")
    ledger.verify(entries)
    return [entry.decision for entry in entries[1:]]


def test_a_candidate_that_passed_goes_live(here, registry):
    outcome = promote()

    assert outcome["promoted"]
    assert outcome["replaced"] == 1
    assert registry.aliases == {"champion": 2, "previous": 1}
    assert registry.ended == {"m1": "passed"}
    assert [(d.action, d.replaced, d.who) for d in decisions(here)] == [("promotion", 1, RUN)]


def test_promoting_again_writes_no_second_line(here):
    promote()

    again = promote()

    assert again["promoted"]
    assert len(decisions(here)) == 1


def test_a_candidate_that_failed_its_gate_moves_nothing(here, registry):
    failed = replace(PASSED, passed=False, reason="1 of 12 checks failed: latency is 2 s.")

    outcome = promote(failed)

    assert not outcome["promoted"]
    assert outcome["reason"] == failed.reason
    assert registry.aliases == {"champion": 1, "challenger": 2}
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


def test_a_champion_that_was_set_by_hand_meanwhile_stays_and_is_written_down(here, registry):
    registry.aliases["champion"] = 3

    with pytest.raises(PromotionConflict, match="now version 3"):
        promote()

    (found,) = decisions(here)
    assert registry.aliases == {"champion": 3, "challenger": 2, "previous": 1}
    assert (found.version, found.replaced, found.who) == (3, 1, champion.BY_HAND)


def test_a_version_that_was_rolled_back_does_not_come_back_by_a_rerun(registry):
    registry.tags[2]["rolled_back"] = "It flagged half of all rows."

    outcome = promote()

    assert not outcome["promoted"]
    assert "rolled back (It flagged half of all rows.)" in outcome["reason"]
    assert registry.aliases == {"champion": 1}


def test_the_way_back_is_what_was_live_before(registry):
    promote()
    promote(replace(PASSED, version=3, champion=2))

    assert registry.aliases == {"champion": 3, "previous": 2}
    assert [registry.tags[n]["status"] for n in (1, 2, 3)] == ["retired", "previous", "champion"]
