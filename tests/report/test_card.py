"""What the cards of both kinds of candidate share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.replay import ChangedRow, Replay
from pipeline.gate import CheckResult, GateVerdict
from pipeline.report.card import (
    CardHead,
    Link,
    build_card,
    changed_rows,
    interval_of,
    run_note,
)

PASSED = CheckResult("enough_rows", "pass", value="900", limit=">= 100", reason="Enough.")
FAILED = CheckResult(
    "fault_size", "fail", value="never", limit="<= 2 x", reason="Blinder to *spikes*.", champion="3"
)
SKIPPED = CheckResult("alert_budget", "skip", value="-", limit="-", reason="skip: none yet.")
GATE = GateVerdict(False, "1 of 3 checks failed.", (PASSED, FAILED, SKIPPED), 3)  # noqa: FBT003 - passed
HEAD = CardHead("la_haute_borne", "recalibrated on May", GATE)


def card(**head: object) -> str:
    return build_card(replace(HEAD, **head), "", ())  # type: ignore[arg-type]  # each test gives what it is about


def test_it_starts_with_plain_text_for_the_list_of_versions() -> None:
    passed = replace(GATE, passed=True, champion=None)

    assert card().startswith(
        "Rejected against champion 3: la_haute_borne, recalibrated on May.\n\n**1 of 3 checks"
    )
    assert card(gate=passed).startswith("Passed, no champion yet: la_haute_borne, recalibrated")


def test_remarks_and_links_are_above_the_first_section_and_an_empty_remark_is_left_out() -> None:
    text = card(remarks=("", "**Stale.**"), links=(Link("Run", "r"), Link("Page", "p")))

    assert text.partition("\n\n---")[0].endswith("failed.**\n\n**Stale.**\n\n[Run](r) | [Page](p)")


def test_changes_come_before_the_gate_and_details_after_it_and_empty_ones_are_left_out() -> None:
    text = build_card(HEAD, "- one", ("### A\n\na", "", "### B\n\nb"))

    heads = [line for line in text.splitlines() if line.startswith("###")]
    assert heads == ["### What changes", "### Gate", "### A", "### B"]
    assert "What changes" not in card()
    assert text.count("---\n\n") == len(heads)


def test_every_check_is_a_row_with_its_verdict_in_words() -> None:
    rows = [line.replace(" &emsp;", "") for line in card().splitlines() if line.startswith("| ")]

    assert rows[2:] == [
        "| enough rows | 900 | - | &#62;= 100 | PASS |",
        "| fault size | never | 3 | &#60;= 2 x | **FAIL** |",
        "| alert budget | - | - | - | skip |",
    ]


def test_every_table_row_has_as_many_cells_as_its_header() -> None:
    awkward = replace(PASSED, value="a|b\nc")

    text = card(gate=replace(GATE, results=(awkward, FAILED)))

    assert {line.count("|") for line in text.splitlines() if line.startswith("| ")} == {6}


def test_a_failed_check_is_explained_above_the_table_in_words_that_are_no_markup() -> None:
    why = card().partition("Why it failed:")[2].partition("| ")[0]

    assert why.strip() == "- **fault size**: Blinder to &#42;spikes&#42;."
    assert "Why it failed" not in card(gate=replace(GATE, results=(PASSED, SKIPPED)))


def test_the_five_rows_that_changed_most_are_shown() -> None:
    rows = tuple(ChangedRow(f"2014-03-30T10:2{n}:00+00:00", "", 2.5, 0.7) for n in range(7))
    replay = Replay(15, 3.0, 1.0, 20, 4, 0.95, rows)

    shown = changed_rows(replay).replace(" &emsp;", "")

    assert shown.count("| 2014-03-30 10:2") == 5
    assert "| 2014-03-30 10:20 | - | 2.50 | 0.70 |" in shown
    assert changed_rows(replace(replay, changed=())) == ""


@pytest.mark.parametrize(
    ("interval", "text"),
    [((9.0, None), "9 to unbounded"), ((None, 1.23456), "unbounded to 1.235")],
)
def test_an_end_of_an_interval_may_be_unbounded(
    threshold: ThresholdEstimate, interval: tuple[float | None, float | None], text: str
) -> None:
    assert interval_of(replace(threshold, interval=interval)) == text


def test_the_run_says_the_decision_first_then_where_its_reasons_are() -> None:
    note = run_note(GATE, (Link("Card", "c"), Link("Drift report", "d")), "Trained on May.")

    assert note == (
        "**Rejected.** 1 of 3 checks failed.\n\n[Card](c) | [Drift report](d)\n\nTrained on May."
    )
