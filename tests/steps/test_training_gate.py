"""The gate of a trained candidate: what it is compared with, and what its case says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.detector.bundle.bundle import load_bundle
from pipeline.records import from_json
from pipeline.registry import versions
from pipeline.steps import candidate as staged
from pipeline.steps import evaluating, training_gate
from pipeline.steps.candidate import Candidate
from pipeline.steps.gate_case import GateCase
from tests.builders import days
from tests.steps.plant_world import HISTORY, World, make_world
from tests.steps.staged_candidate import fitted, measured

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AGAINST_THE_CHAMPION = {"rank_agreement", "reconstruction_vs_champion", "fault_size_vs_champion"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Evidently's page takes half a minute to import and is tested beside its code.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        yield make_world(tmp_path_factory.mktemp("farm"), patch)


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
