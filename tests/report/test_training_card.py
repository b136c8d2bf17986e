from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.config import Gate
from pipeline.data.held_back import NOTHING_HELD, HeldBack, HeldRows
from pipeline.data.replaced_cells import ReplacedCells
from pipeline.data.unscored_days import UnscoredDays
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftVerdict
from pipeline.evaluation.detectability import CaughtShare, Detectable
from pipeline.evaluation.metrics import EvaluatedRows, evaluate
from pipeline.evaluation.partial_rate import PartialRates, RateWithout
from pipeline.evaluation.replay import ChangedRow, Replay
from pipeline.gate import GateVerdict, TrainedFacts, decide
from pipeline.report.card import Link
from pipeline.report.fault_section import Grades
from pipeline.report.fault_section import fault_section as section_of_faults
from pipeline.report.training_card import TrainedOn, TrainingCard, training_card

FOUND = Detectable(1.5, 1.0, 2.0, CaughtShare(6.0, 0.9, 0.8, 0.95, 160))
GRADES = {"spike": {1.0: 0.25, 1.5: 0.8, 2.0: 1.0}, "stuck": {6.0: 0.1}, "swap": {1.0: 0.5}}


def judged(facts_change: dict[str, object] | None = None) -> GateVerdict:
    facts = TrainedFacts(
        rows=2000,
        rows_effective=900.0,
        rate=None,
        noise_passthrough=0.6,
        explained_variance=0.98,
        median_error=0.01,
        days=15,
        alerts_per_day=3.9,
        incidents=1,
        incidents_caught=("a",),
        detectable=dict.fromkeys(("spike", "drift", "unit change"), FOUND),
        fault_size={"spike": 1.0},
        fault_loss={},
        drift="none",
        drift_reason="Nothing moved that matters.",
        bundle_mb=1.2,
        latency_ms=12.0,
    )
    return decide(replace(facts, **(facts_change or {})), None, Gate())  # type: ignore[arg-type]  # each test gives what it is about


@pytest.fixture
def card(rows: EvaluatedRows, threshold: ThresholdEstimate) -> TrainingCard:
    return TrainingCard(
        detector="la_haute_borne",
        gate=judged(),
        threshold=threshold,
        evaluation=evaluate(rows, threshold),
        drift=DriftVerdict("none", "none", "Nothing moved that matters.", (), ()),
        trained_on=TrainedOn("2014-01-01", "2014-03-31", "telemetry", 90, 34100, 8368, 8640),
    )


def test_it_starts_with_plain_text_for_the_list_of_versions(card: TrainingCard) -> None:
    passed = replace(card, gate=replace(card.gate, passed=True))

    assert training_card(card).startswith("Rejected, no champion yet: la_haute_borne")
    assert training_card(passed).startswith("Passed, no champion yet: la_haute_borne")


def test_the_rate_of_partial_rows_stands_beside_that_of_whole_rows(card: TrainingCard) -> None:
    rates = PartialRates(8000, 0.01, (RateWithout("flow", 0.03), RateWithout("angle", 0.01)))

    text = training_card(replace(card, partial=rates))

    assert "8,000 normal rows, 2.00% are above it in the mean, and 3.00% without flow;" in text
    assert "of the whole rows 1.00%." in text
    assert "Without one channel" not in training_card(card)


def test_rows_that_were_left_out_because_a_sensor_failed_are_counted(card: TrainingCard) -> None:
    trained_on = replace(card.trained_on, partial=1234)

    assert "1,234 rows are left out because a sensor of each had failed." in training_card(
        replace(card, trained_on=trained_on)
    )


def test_remarks_on_the_fit_are_at_the_top(card: TrainingCard) -> None:
    text = training_card(replace(card, remarks=("The code has collapsed: 0 of 8 units vary.",)))

    assert "Of the fit: The code has collapsed" in text.partition("### ")[0]
    assert "Of the fit" not in training_card(card)


def test_days_that_nobody_looked_at_are_told_at_the_top(card: TrainingCard) -> None:
    unscored = UnscoredDays(39, date(2014, 2, 21), date(2014, 3, 31))
    told = replace(card, trained_on=replace(card.trained_on, unscored=unscored))

    assert unscored.sentence in training_card(told).partition("### ")[0]
    assert "never scored" not in training_card(card)


def test_an_image_follows_the_threshold_that_it_shows(card: TrainingCard) -> None:
    text = training_card(replace(card, images=(Link("scores", "a.png"),)))

    assert text.index("### Threshold") < text.index("![scores](a.png)") < text.index("### Test")


def test_the_threshold_comes_with_interval_rate_and_band(card: TrainingCard) -> None:
    text = training_card(card)

    assert "**10** (95% interval 9 to unbounded, conformal)" in text
    assert "at most 1.00% of normal rows" in text
    assert f"**{card.evaluation.rate.verdict}**" in text  # type: ignore[union-attr]  # this card has a rate


def test_it_says_which_cells_of_open_shifts_did_not_train(card: TrainingCard) -> None:
    missing = ReplacedCells(cells=2400, rows=1200, channels=("flow", "pressure"))
    filled = replace(missing, version=3, bundle_sha256="0" * 64)
    texts = (
        training_card(replace(card, trained_on=replace(card.trained_on, replaced=each)))
        for each in (missing, filled)
    )

    ends = ("are missing values", "hold what version 3 expects there")
    for text, end in zip(texts, ends, strict=True):
        assert (
            "Of 1,200 rows in open shifts (flow, pressure) only the 2,400 cells of the shifted "
            f"channel are left out: they {end}."
        ) in text
    assert "open shifts (" not in training_card(card)


def test_it_says_which_version_of_which_table_was_used(card: TrainingCard) -> None:
    assert "2014-01-01 to 2014-03-31, table `telemetry` version 90" in training_card(card)


def test_a_reviewer_sees_which_rows_would_change(card: TrainingCard) -> None:
    row = ChangedRow("2014-03-30T10:20:00+00:00", "R80711", 2.5, 0.7)
    replay = Replay(15, 3.0, 1.0, 20, 4, 0.95, (row,))

    text = training_card(replace(card, replay=replay, champion_threshold=12.0))

    assert "- threshold 10 instead of 12, on scores of another network" in text
    assert "3.00 alerts a day instead of 1.00" in text
    assert "| 2014-03-30 10:20 | R80711 | 2.50 | 0.70 |" in text.replace(" &emsp;", "")


def test_a_fine_tuned_candidate_says_whose_weights_it_went_on_from(card: TrainingCard) -> None:
    start = Start(
        version=4,
        bundle_sha256="",
        since=date(2013, 1, 1),
        recent_days=12,
        recent_rows=1500,
        confirmed=0,
        suspects=0,
        replay_days=8,
        replay_rows=900,
    )

    text = training_card(replace(card, start=start))
    left_out = training_card(replace(card, start=replace(start, suspects=17)))

    assert (
        "- **fine-tuned from version 4** on 1,500 normal rows of the newest 12 train days, beside "
        "8 older days since 2013-01-01\n" in text
    )
    assert "17 rows that version 4 flags and nobody has judged were left out" in left_out
    assert "fine-tuned" not in training_card(card)


def test_a_champion_that_could_not_be_compared_is_said_to_be(card: TrainingCard) -> None:
    text = training_card(replace(card, not_compared="champion 3 cannot be read"))

    assert "### What changes\n\n- champion 3 cannot be read\n" in text
    assert "What changes" not in training_card(card)


def test_pictures_and_links_are_placed(card: TrainingCard) -> None:
    text = training_card(
        replace(
            card,
            images=(Link("scores", "get-artifact?path=a.png"),),
            links=(Link("drift report", "http://host/x"),),
        )
    )

    assert "![scores](get-artifact?path=a.png)" in text
    assert "[drift report](http://host/x)" in text


def test_only_plain_characters_are_used(card: TrainingCard) -> None:
    assert training_card(card).isascii()


def fault_section(grades: Grades, champion: Grades) -> str:
    """Without the spaces that keep columns apart in a browser."""
    section = section_of_faults(grades, champion, {"spike": FOUND}, {"spike": 6.0, "stuck": None})
    return section.replace(" &emsp;", "")


def test_every_kind_shows_what_is_caught_at_every_size() -> None:
    text = fault_section(GRADES, {})

    assert "| spike | 1.5 (1 to 2) | 6 | 1: 25%, 1.5: 80%, 2: 100% (sd) | - |" in text
    assert "| stuck | - | largest | 6: 10% (rows) | - |" in text


def test_a_fault_without_a_size_shows_a_share_alone() -> None:
    assert "| swap | - | - | 50% | - |" in fault_section(GRADES, {})


def test_the_champion_is_in_the_next_column() -> None:
    text = fault_section(GRADES, {"swap": {1.0: 0.75}})

    assert "| swap | - | - | 50% | 75% |" in text


def test_where_no_fault_could_be_planted_it_says_so() -> None:
    text = fault_section({}, {})

    assert "**Not judged.** No fault could be planted" in text
    assert "Set schema.cadence" in text


def test_held_episodes_are_listed_for_a_person_to_look_at(card: TrainingCard) -> None:
    episode = HeldRows("pump_3", "2014-02-03T04:10:00+00:00", "2014-02-03T09:00:00+00:00", 28)
    held = {"train": NOTHING_HELD, "calibration": HeldBack(31, 2, (episode,))}

    text = training_card(replace(card, held=held))

    assert "### Held back: look at them" in text
    assert "Held back from the calibration block: 31 rows in 2 episodes" in text
    assert "- pump_3, 2014-02-03 04:10 to 2014-02-03 09:00 UTC, 28 rows" in text.replace("\\", "")
    assert "- and 1 more" in text
    assert "train block" not in text
    assert "Held back" not in training_card(replace(card, held={"train": NOTHING_HELD}))


@pytest.mark.parametrize(("verdict", "words"), [("below", "Too few"), ("above", "Too many")])
def test_a_rate_off_its_band_is_at_the_top(card: TrainingCard, verdict: str, words: str) -> None:
    rate = replace(card.evaluation.rate, verdict=verdict)  # type: ignore[type-var]  # this card has a rate
    evaluation = replace(card.evaluation, rate=rate)

    assert words in training_card(replace(card, evaluation=evaluation)).partition("### ")[0]
