from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import Gate
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftVerdict
from pipeline.evaluation.metrics import EvaluatedRows, evaluate
from pipeline.evaluation.replay import ChangedRow, Replay
from pipeline.gate import CHECKS, CandidateFacts, GateVerdict, decide
from pipeline.report.card import Card, Link, TrainedOn, promotion_card


def judged(facts_change: dict[str, object] | None = None) -> GateVerdict:
    facts = CandidateFacts(
        calibration_rows=2000,
        calibration_rows_effective=900.0,
        rate=None,
        noise_passthrough=0.6,
        explained_variance=0.98,
        median_error=0.01,
        replayed_days=15,
        alerts_per_day=3.9,
        incidents=1,
        incidents_caught=("a",),
        fault_recall={"spike": 0.9, "drift": 0.9, "unit change": 0.9},
        fault_size={"spike": 1.0},
        drift="none",
        drift_reason="Nothing moved that matters.",
        bundle_mb=1.2,
        latency_ms=12.0,
    )
    return decide(replace(facts, **(facts_change or {})), None, Gate())


@pytest.fixture
def card(rows: EvaluatedRows, threshold: ThresholdEstimate) -> Card:
    return Card(
        detector="la_haute_borne",
        gate=judged(),
        threshold=threshold,
        evaluation=evaluate(rows, threshold),
        drift=DriftVerdict("none", "none", "Nothing moved that matters.", (), ()),
        trained_on=TrainedOn("2014-01-01", "2014-03-31", "telemetry", 90, 34100, 8368, 8640),
    )


def test_it_starts_with_plain_text_for_the_list_of_versions(card: Card) -> None:
    passed = replace(card, gate=replace(card.gate, passed=True))

    assert promotion_card(card).startswith("Rejected, no champion yet: la_haute_borne")
    assert promotion_card(passed).startswith("Passed, no champion yet: la_haute_borne")


def test_every_check_is_a_row_with_its_verdict_in_words(card: Card) -> None:
    lines = promotion_card(card).splitlines()

    for result in card.gate.results:
        row = next(line for line in lines if line.startswith(f"| {result.name.replace('_', ' ')} "))
        assert result.verdict in row.rsplit("|", maxsplit=2)[1].lower()
    assert len(card.gate.results) == len(CHECKS)


def test_every_table_row_has_as_many_cells_as_its_header(card: Card) -> None:
    awkward = replace(card.gate.results[0], value="a|b\nc")
    gate = replace(card.gate, results=(awkward, *card.gate.results[1:]))

    lines = promotion_card(replace(card, gate=gate)).splitlines()
    table = [line for line in lines if line.startswith("| ")][: len(CHECKS) + 2]

    assert {line.count("|") for line in table} == {6}


def test_a_failed_check_is_explained_below_the_table(card: Card) -> None:
    text = promotion_card(card)

    assert "Why it failed" in text
    assert "no normal row" in text


def test_remarks_on_the_fit_are_at_the_top(card: Card) -> None:
    text = promotion_card(replace(card, remarks=("The code has collapsed: 0 of 8 units vary.",)))

    assert "Of the fit: The code has collapsed" in text.partition("### ")[0]
    assert "Of the fit" not in promotion_card(card)


def test_an_image_follows_the_threshold_that_it_shows(card: Card) -> None:
    text = promotion_card(replace(card, images=(Link("scores", "a.png"),)))

    assert text.index("### Threshold") < text.index("![scores](a.png)") < text.index("### Test")


def test_the_threshold_comes_with_interval_rate_and_band(card: Card) -> None:
    text = promotion_card(card)

    assert "**10** (95% interval 9 to unbounded, conformal)" in text
    assert "at most 1.00% of normal rows" in text
    assert f"**{card.evaluation.rate.verdict}**" in text


def test_it_says_which_version_of_which_table_was_used(card: Card) -> None:
    assert "2014-01-01 to 2014-03-31, table `telemetry` version 90" in promotion_card(card)


def test_a_reviewer_sees_which_rows_would_change(card: Card) -> None:
    row = ChangedRow("2014-03-30T10:20:00+00:00", "R80711", 2.5, 0.7)
    replay = Replay(15, 3.0, 1.0, 20, 4, 0.95, (row,))

    text = promotion_card(replace(card, replay=replay, changes=("threshold 10 instead of 12",)))

    assert "- threshold 10 instead of 12" in text
    assert "3.00 alerts a day instead of 1.00" in text
    assert "| 2014-03-30 10:20 | R80711 | 2.50 | 0.70 |" in text.replace(" &emsp;", "")


def test_pictures_and_links_are_placed(card: Card) -> None:
    text = promotion_card(
        replace(
            card,
            images=(Link("scores", "get-artifact?path=a.png"),),
            links=(Link("drift report", "http://host/x"),),
            next_step="Approve in Airflow.",
        )
    )

    assert "![scores](get-artifact?path=a.png)" in text
    assert "[drift report](http://host/x)" in text
    assert "Approve in Airflow." in text


def test_only_plain_characters_are_used(card: Card) -> None:
    assert promotion_card(card).isascii()
