"""The questions that both kinds of candidate answer, and the words in which each is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import Gate
from pipeline.gate import decide
from tests.gate.candidates import (
    BEFORE,
    BLINDER,
    CHAMPION,
    LIKE,
    LIMITS,
    RECALIBRATED,
    TRAINED,
    failed,
    result_of,
)

NAN = float("nan")
UNKNOWN = replace(LIKE, share=NAN, surely=NAN)


@pytest.mark.parametrize(
    ("facts", "change", "check"),
    [
        (TRAINED, {"rows_effective": NAN}, "enough_calibration_rows"),
        (TRAINED, {"alerts_per_day": 30.0}, "alert_budget"),
        (TRAINED, {"incidents_caught": ("a", "c")}, "confirmed_incidents"),
        (
            TRAINED,
            {"fault_loss": {**TRAINED.fault_loss, "drift": BLINDER}},
            "fault_size_vs_champion",
        ),
        (TRAINED, {"fault_loss": {}}, "fault_size_vs_champion"),
        (TRAINED, {"fault_size": {"drift": 1.0, "unit change": 1.5}}, "fault_size_vs_champion"),
        (RECALIBRATED, {"rows_effective": NAN}, "enough_rows"),
        (RECALIBRATED, {"alerts_per_day": 4.5}, "alert_budget"),
        (RECALIBRATED, {"incidents_caught": ("a",)}, "confirmed_incidents"),
        (RECALIBRATED, {"fault_loss": {"spike": BLINDER, "drift": LIKE}}, "fault_size"),
        (RECALIBRATED, {"fault_loss": {"spike": UNKNOWN, "drift": LIKE}}, "fault_size"),
        (RECALIBRATED, {"fault_size": {"spike": NAN, "drift": 2.0}}, "fault_size"),
        (RECALIBRATED, {"fault_size": {"drift": 2.0}}, "fault_size"),
    ],
)
def test_one_fault_fails_one_check_and_the_whole_gate(facts, change, check: str):
    champion = CHAMPION if facts is TRAINED else BEFORE

    verdict = decide(replace(facts, **change), champion, LIMITS)

    assert failed(verdict) == [check]
    assert check in verdict.reason


def test_too_few_rows_name_the_key_that_gives_more():
    trained = result_of("enough_calibration_rows", TRAINED, CHAMPION)
    recalibrated = result_of("enough_rows", RECALIBRATED, BEFORE)

    assert trained.reason == (
        "8,368 calibration rows are worth 430 independent ones; lengthen split.training_days for "
        "more."
    )
    assert recalibrated.reason == (
        "17,000 rows are worth 900 independent ones; lengthen recalibration.window_days for more."
    )


def test_fewer_alerts_than_a_stale_champion_are_welcome():
    assert decide(replace(TRAINED, alerts_per_day=0.1), CHAMPION, LIMITS).passed


def test_a_silent_candidate_passes_only_if_it_is_seen_to_catch_something():
    silent = replace(TRAINED, alerts_per_day=0.0)
    unseeing = replace(silent, incidents_caught=(), fault_size={"spike": None, "drift": None})
    nothing_asked = Gate(required_faults=(), minimum_incident_recall=0.0)
    before = replace(CHAMPION, fault_size={})

    assert decide(silent, before, nothing_asked).passed
    assert failed(decide(unseeing, before, nothing_asked)) == ["alert_budget"]
    assert decide(replace(unseeing, incidents_caught=("a",)), before, nothing_asked).passed


def test_a_silent_threshold_is_not_called_blind_as_its_weights_are_the_champions():
    silent = replace(RECALIBRATED, alerts_per_day=0.0, incidents_caught=(), fault_size={})
    before = replace(BEFORE, alerts_per_day=20.0, incidents_caught=(), fault_size={})

    found = result_of("alert_budget", silent, before)

    assert found.verdict == "pass"
    assert found.reason == "Alerts a day over the 30 days of the window; 60.10 are allowed."


@pytest.mark.parametrize(
    ("facts", "champion"),
    [(TRAINED, CHAMPION), (RECALIBRATED, BEFORE)],
    ids=["trained", "recalibrated"],
)
def test_a_champion_without_alerts_does_not_forbid_the_first_one(facts, champion):
    silent = replace(champion, alerts_per_day=0.0)

    few, many = (replace(facts, alerts_per_day=n / facts.days) for n in (2, 12))
    assert decide(few, silent, LIMITS).passed
    assert failed(decide(many, silent, LIMITS)) == ["alert_budget"]


def test_few_alerts_more_may_be_chance():
    champion = replace(CHAMPION, alerts_per_day=1 / 15)
    few, many = (replace(TRAINED, alerts_per_day=n / 15) for n in (7, 25))

    assert decide(few, champion, LIMITS).passed
    assert "by chance" in result_of("alert_budget", few, champion).reason
    assert failed(decide(many, champion, LIMITS)) == ["alert_budget"]


def test_the_check_of_confirmed_incidents_can_be_configured_to_accept_a_loss():
    lossy = replace(TRAINED, incidents_caught=("a",))

    assert decide(lossy, CHAMPION, Gate(minimum_incident_recall=0.5)).passed


def test_a_lost_incident_is_named_with_what_to_do_about_a_threshold():
    lossy = {"incidents_caught": ("b",)}

    trained = result_of("confirmed_incidents", replace(TRAINED, **lossy), CHAMPION)
    recalibrated = result_of("confirmed_incidents", replace(RECALIBRATED, **lossy), BEFORE)

    assert trained.reason == "Not caught any more: a."
    assert recalibrated.reason == (
        "Not caught any more: a. Label what raised the threshold, or train."
    )


def test_of_many_lost_incidents_three_are_named():
    many = replace(BEFORE, incidents_caught=("e", "d", "c", "b", "a"))
    lossy = replace(RECALIBRATED, incidents_caught=())

    assert "more: a, b, c, .... Label" in result_of("confirmed_incidents", lossy, many).reason


@pytest.mark.parametrize(
    ("facts", "champion"),
    [(TRAINED, CHAMPION), (RECALIBRATED, BEFORE)],
    ids=["trained", "recalibrated"],
)
def test_where_the_champion_caught_no_incident_the_check_is_skipped(facts, champion):
    found = result_of("confirmed_incidents", facts, replace(champion, incidents_caught=()))

    assert found.verdict == "skip"
    assert found.champion == "0"


@pytest.mark.parametrize(
    "loss",
    [replace(BLINDER, surely=-0.001), replace(BLINDER, share=0.19, surely=0.15)],
    ids=["by chance", "too little to matter"],
)
def test_a_loss_fails_only_if_it_is_significant_and_matters(loss):
    losses = {**TRAINED.fault_loss, "spike": loss}

    assert decide(replace(TRAINED, fault_loss=losses), CHAMPION, LIMITS).passed


def test_a_blinder_candidate_is_told_by_kind_with_what_to_do_about_a_threshold():
    losses = {"spike": BLINDER, "drift": LIKE}

    trained = result_of("fault_size_vs_champion", replace(TRAINED, fault_loss=losses), BEFORE)
    recalibrated = result_of("fault_size", replace(RECALIBRATED, fault_loss=losses), BEFORE)

    assert (trained.value, trained.champion) == ("spike -31% caught", "spike 3")
    assert trained.reason == "Blinder than the champion to spike."
    assert recalibrated.reason.startswith("Blinder than the live threshold to spike. Label the")
    assert recalibrated.limit == "<= 20% fewer, or by chance"


@pytest.mark.parametrize(
    ("facts", "champion", "name"),
    [(TRAINED, CHAMPION, "fault_size_vs_champion"), (RECALIBRATED, BEFORE, "fault_size")],
    ids=["trained", "recalibrated"],
)
def test_faults_that_could_not_be_planted_for_either_are_not_compared(facts, champion, name):
    unplanted = replace(facts, fault_size={}, fault_loss={})

    neither = result_of(name, unplanted, replace(champion, fault_size={}))
    assert (neither.verdict, neither.value) == ("skip", "not judged")
    assert result_of(name, unplanted, champion).verdict == "fail"


@pytest.mark.parametrize("facts", [TRAINED, RECALIBRATED])
def test_few_rows_make_a_candidate_provisional_and_refuse_none(facts):
    few = replace(facts, rows_effective=42.0)
    before = CHAMPION if facts is TRAINED else replace(BEFORE, threshold_rows=30.0)
    verdict = decide(few, before, LIMITS)

    found = next(result for result in verdict.results if result.name == facts.words.rows_check)
    assert verdict.passed
    assert found.value == "42, provisional"
    assert "estimated anew each week" in found.reason
