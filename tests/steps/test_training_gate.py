"""The gate of a trained candidate: what it is compared with, and what its case says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.cases import CaseSpan
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.records import from_json
from pipeline.registry import versions
from pipeline.steps import candidate as staged
from pipeline.steps import evaluating, open_case_rows, training_gate
from pipeline.steps.candidate import Candidate
from pipeline.steps.gate_case import GateCase
from tests.builders import days, make_frame, moment
from tests.steps.plant_world import HISTORY, World, make_world
from tests.steps.staged_candidate import fitted, measured

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AGAINST_THE_CHAMPION = {"rank_agreement", "reconstruction_vs_champion", "fault_size_vs_champion"}

MOVED = days(56)[-1]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Evidently's page takes half a minute to import and is tested beside its code.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        # Its threshold rests on 97 independent rows, which would make every case provisional.
        yield make_world(
            tmp_path_factory.mktemp("farm"), patch, gate={"minimum_calibration_rows": 90}
        )


@pytest.fixture(scope="module")
def candidate(world) -> Candidate:
    as_of = days(HISTORY + 1)[-1].isoformat()
    return from_json(Candidate, measured(world.here, fitted(world.here, as_of)))


def judged(world: World, candidate: Candidate) -> GateCase:
    with staged.pulled(candidate, staged.BUNDLE) as folder:
        return training_gate.judge(world.here, candidate, load_bundle(folder))


def skipped(case: GateCase) -> set[str]:
    return {check.name for check in case.verdict.results if check.verdict == "skip"}


def test_a_candidate_is_compared_with_the_live_version_on_the_same_rows(world, candidate):
    case = judged(world, candidate)

    assert case.champion == 1
    assert not skipped(case) & AGAINST_THE_CHAMPION
    assert "champion 1" in case.card.splitlines()[0]


def test_a_candidate_that_is_live_already_is_not_compared_with_itself(world, candidate):
    live = versions.by_number(world.client, "pumps", 1)

    case = judged(world, replace(candidate, run_id=live.run_id))

    assert case.champion == 1
    assert skipped(case) >= AGAINST_THE_CHAMPION


def test_the_case_says_what_it_was_trained_on(world, candidate):
    case, (first, last) = judged(world, candidate), (days(HISTORY)[-30], days(HISTORY)[-1])

    assert case.window == (first, last)
    assert case.tags == {"trained_on": f"{first} to {last}"}  # and was not fine-tuned
    assert 0 <= case.realised_rate < 0.1
    assert [link.name for link in case.links] == [
        "Scores over time", "Injected faults", "Drift report"
    ]  # fmt: skip
    assert case.reason == case.verdict.reason


def test_the_case_says_how_many_days_nobody_looked_at(world, candidate):
    case = judged(world, candidate)

    (asked,) = (check for check in case.verdict.results if check.name == "open_cases")
    assert "30 of its days were never scored, so nobody looked at them" in asked.reason
    assert "30 days of the window were never scored" in case.card.partition("### ")[0]


def shift_of(first_day: date) -> CaseSpan:
    """The open shift of pressure of pump a, from that day on."""
    end = moment(days(HISTORY)[-1], 23)
    return CaseSpan("c1", "shift", "a", ("pressure",), moment(first_day), end, None, None)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """A farm of which pump a measures a higher pressure from day 56 on; the champion is older."""
    frame = make_frame(HISTORY)
    frame.loc[(frame["pump"] == "a") & (frame["timestamp"].dt.date >= MOVED), "pressure"] += 5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        yield make_world(tmp_path_factory.mktemp("shifted"), patch, frame)


@pytest.mark.parametrize(("begins", "verdict"), [(MOVED, "pass"), (days(66)[-1], "fail")])
def test_rows_of_an_open_shift_that_train_before_its_case_begins_fail_the_gate(
    shifted, monkeypatch, begins, verdict
):
    """They widen the training range, and the shift would neither be muted nor told again."""
    monkeypatch.setattr(open_case_rows, "spans_left_out", lambda *_: (shift_of(begins),))
    as_of = days(HISTORY + 1)[-1].isoformat()

    case = judged(
        shifted, from_json(Candidate, measured(shifted.here, fitted(shifted.here, as_of)))
    )

    (found,) = (check for check in case.verdict.results if check.name == "open_shifts")
    assert found.verdict == verdict
    assert ("the open shift of pressure of a" in found.reason) == (verdict == "fail")
    assert not case.verdict.passed or verdict == "pass"
    assert "rows in open shifts (pressure) only the" in case.card
    assert "they hold what version 1 expects there" in case.card
