from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.gate import Move, RecalibratedFacts, decide
from tests.gate.candidates import BEFORE, LIMITS, RECALIBRATED, failed, result_of

NAN = float("nan")
FAR = Move(0.62, 0.5, "The threshold lies +62% from the one of 2024-01-31.")


def failures(facts: RecalibratedFacts) -> list[str]:
    return failed(decide(facts, BEFORE, LIMITS))


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"step": Move(0.3, 0.2, "It moved.")}, "step_bound"),
        ({"total": FAR}, "total_bound"),
        ({"creep": Move(0.19, 0.14, "It creeps.")}, "creep_bound"),
        ({"degradation": Move(0.3, 0.0, "More rows are high.")}, "degradation"),
        ({"step": Move(NAN, 0.2)}, "step_bound"),
        ({"total": Move(NAN, 0.5), "accepted": "ada: why"}, "total_bound"),
    ],
)
def test_each_check_can_fail_alone(change: dict[str, object], check: str):
    assert failures(replace(RECALIBRATED, **change)) == [check]


def test_a_crossed_bound_names_its_value_its_limit_and_the_fix():
    bound = result_of("total_bound", replace(RECALIBRATED, total=FAR), BEFORE)

    assert (bound.value, bound.limit) == ("+62.0%", "50%")
    assert FAR.crossed in bound.reason
    assert "accept_beyond_bounds and a reason" in bound.reason


def test_a_move_beyond_the_limit_that_chance_explains_is_no_failure():
    assert failures(replace(RECALIBRATED, step=Move(0.3, 0.2))) == []


def test_a_move_that_a_person_has_accepted_passes_under_their_name():
    facts = replace(RECALIBRATED, total=FAR, accepted="ada: a new gearbox")

    bound = result_of("total_bound", facts, BEFORE)

    assert bound.verdict == "pass"
    assert "Accepted by ada: a new gearbox" in bound.reason


def test_acceptance_of_a_bound_is_no_pass_for_a_lost_incident():
    facts = replace(RECALIBRATED, total=FAR, accepted="ada: because", incidents_caught=())

    assert failures(facts) == ["confirmed_incidents"]


@pytest.mark.parametrize(
    ("rows", "live", "passes"),
    [
        (2.0, 49.0, False),
        (49.0, 49.0, True),
        (60.0, 49.0, True),
        (120.0, 430.0, True),  # enough for any threshold
        (99.0, 430.0, False),
    ],
)
def test_a_threshold_that_is_known_better_is_kept_until_there_are_enough_rows(
    rows: float, live: float, *, passes: bool
) -> None:
    candidate = replace(RECALIBRATED, rows_effective=rows)

    result = result_of("enough_rows", candidate, replace(BEFORE, threshold_rows=live))

    assert result.verdict == ("pass" if passes else "fail")
    assert (f"The live threshold rests on {live:,.0f} and stays" in result.reason) is not passes


def test_a_person_may_prefer_the_threshold_with_fewer_rows() -> None:
    candidate = replace(RECALIBRATED, rows_effective=2.0, accepted="ada: the pump was replaced.")

    result = result_of("enough_rows", candidate, BEFORE)

    assert result.verdict == "pass"
    assert "Accepted by ada: the pump was replaced." in result.reason
