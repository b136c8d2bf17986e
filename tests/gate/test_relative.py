from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.gate import decide
from pipeline.gate.facts import OpenCaseFlags, OpenShift
from tests.gate.candidates import CHAMPION, LIMITS, TRAINED, failed, result_of


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"rank_agreement": 0.05}, "rank_agreement"),
        ({"rank_agreement": -0.9}, "rank_agreement"),
        ({"median_error": 0.02}, "reconstruction_vs_champion"),
    ],
)
def test_one_fault_fails_one_check_and_the_whole_gate(change: dict[str, object], check: str):
    assert failed(decide(replace(TRAINED, **change), CHAMPION, LIMITS)) == [check]


def test_errors_of_another_family_or_loss_are_no_measure_for_the_candidate():
    wide = replace(CHAMPION, median_error=1e-9, explained_variance=1.0, same_kind=False)
    forest = replace(CHAMPION, median_error=None, explained_variance=None)
    worse = replace(TRAINED, explained_variance=0.6)

    assert decide(worse, wide, LIMITS).passed
    assert decide(worse, forest, LIMITS).passed
    assert failed(decide(worse, replace(wide, same_kind=True), LIMITS)) == [
        "explained_variance",
        "reconstruction_vs_champion",
    ]


def test_a_champion_whose_score_never_changes_does_not_forbid_its_successor():
    assert decide(replace(TRAINED, rank_agreement=None), CHAMPION, LIMITS).passed


@pytest.mark.parametrize(
    ("candidate", "lost", "gained", "passed"),
    [
        (200.0, 0.0, 0.0, True),
        (180.0, 20.0, 0.0, True),  # nine of ten
        (150.0, 50.0, 0.0, False),
        (16.0, 184.0, 0.0, False),  # the fault has become normal
        (198.0, 100.0, 98.0, True),
    ],
)
def test_what_is_open_must_still_be_flagged(candidate, lost, gained, passed):
    flags = OpenCaseFlags(200, candidate, 200.0, lost, gained)

    verdict = decide(replace(TRAINED, open_cases=flags), CHAMPION, LIMITS)

    assert failed(verdict) == ([] if passed else ["open_cases"])


def test_a_few_rows_of_an_open_case_may_differ_by_chance():
    few = OpenCaseFlags(rows=5, candidate=3.0, champion=4.0, lost=2.0, gained=1.0)

    assert decide(replace(TRAINED, open_cases=few), CHAMPION, LIMITS).passed


def test_without_rows_of_open_cases_the_question_is_skipped():
    verdict = decide(replace(TRAINED, open_cases=None), CHAMPION, LIMITS)

    (found,) = [result for result in verdict.results if result.name == "open_cases"]
    assert (verdict.passed, found.verdict) == (True, "skip")
    assert "nobody looked" not in found.reason


def test_without_open_cases_it_says_how_many_days_nobody_looked_at():
    verdict = decide(replace(TRAINED, open_cases=None, unscored_days=39), CHAMPION, LIMITS)

    (found,) = [result for result in verdict.results if result.name == "open_cases"]
    assert found.verdict == "skip"
    assert "39 of its days were never scored, so nobody looked at them." in found.reason


@pytest.mark.parametrize(("outside", "passed"), [(50.0, True), (49.0, False), (0.0, False)])
def test_a_training_range_must_leave_an_open_shift_outside(outside, passed):
    shifts = (OpenShift("flow", "a", 50, 50.0), OpenShift("pressure", "b", 100, outside))

    verdict = decide(replace(TRAINED, open_shifts=shifts), CHAMPION, LIMITS)

    assert failed(verdict) == ([] if passed else ["open_shifts"])


def test_the_reason_names_the_channels_whose_shift_would_disappear_and_what_to_do():
    shifts = (
        OpenShift("flow", "a", 50, 50.0),
        OpenShift("pressure", "b", 100, 12.0),
        OpenShift("heat", "", 100, 20.0),
    )

    found = result_of("open_shifts", replace(TRAINED, open_shifts=shifts), CHAMPION)

    assert "of pressure of b, heat," in found.reason
    assert "python -m pipeline cases" in found.reason
    assert "flow" not in found.reason
    assert (found.value, found.measured) == ("12%", 0.12)


def test_one_share_that_could_not_be_measured_is_not_passed_over():
    shifts = (OpenShift("flow", "a", 50, 50.0), OpenShift("heat", "", 100, float("nan")))

    found = result_of("open_shifts", replace(TRAINED, open_shifts=shifts), CHAMPION)

    assert (found.verdict, found.value) == ("fail", "nan%")


def test_without_rows_of_open_shifts_the_question_is_skipped():
    found = result_of("open_shifts", replace(TRAINED, open_shifts=()), CHAMPION)

    assert (found.verdict, found.reason[:5]) == ("skip", "skip:")
