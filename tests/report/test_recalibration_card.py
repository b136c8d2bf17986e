from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.metrics import EvaluatedRows
from pipeline.evaluation.replay import Replay
from pipeline.gate import GateVerdict
from pipeline.recalibration import STATUSES, Anchor, Recalibrated
from pipeline.report.card import Link
from pipeline.report.figures.recalibration import WindowPicture, recalibration_window
from pipeline.report.recalibration_card import HeldEpisode, RecalibrationCard, recalibration_card

HELD = HeldEpisode(
    "R80711",
    datetime(2014, 5, 3, 4, tzinfo=UTC),
    datetime(2014, 5, 3, 9, tzinfo=UTC),
    31,
    ("gearbox temperature", "rotor speed"),
)


@pytest.fixture
def card(threshold: ThresholdEstimate) -> RecalibrationCard:
    day = date(2014, 5, 31)
    result = Recalibrated(
        threshold=replace(threshold, value=10.5),
        anchor=Anchor(9.0, 1.0, date(2014, 3, 31), date(2014, 3, 31)),
        day=day,
        days=30,
        status=np.zeros(0, np.int8),
        weight=np.zeros(0),
        counts=dict.fromkeys(STATUSES, 7),
        held=(),
        longest_normal=4,
        level=1.0,
        step=0.05,
        total=0.167,
        growth=0.01,
        degradation=None,
        raised="",
        stops=(),
        stale="",
    )
    return RecalibrationCard(
        detector="la_haute_borne",
        gate=GateVerdict(True, "All 7 checks passed.", (), 3),  # noqa: FBT003 - passed
        result=result,
        old=threshold,
        first_day=date(2014, 5, 2),
        last_day=day,
        replay=Replay(30, 1.2, 1.0, 3, 1, None, ()),
        labels=2,
        accepted="",
        growth_accepted="",
        held=(HELD,),
        picture=Link("The window", "get-artifact?path=window.png"),
        links=(),
    )


def test_it_starts_with_plain_text_for_the_list_of_versions(card: RecalibrationCard) -> None:
    rejected = replace(card, gate=replace(card.gate, passed=False))

    assert recalibration_card(card).startswith(
        "Passed against champion 3: la_haute_borne, recalibrated"
    )
    assert recalibration_card(rejected).startswith("Rejected against champion 3")


def test_the_move_is_shown_from_the_live_threshold_and_from_the_anchor(
    card: RecalibrationCard,
) -> None:
    text = recalibration_card(card)

    assert "A step of **+5.0%**, within the interval of the live threshold" in text
    assert "**+16.7%** from the threshold of 2014-03-31" in text
    assert "1.00 &emsp; | 1.20" in text


def test_a_move_that_chance_does_not_explain_is_not_excused(card: RecalibrationCard) -> None:
    far = replace(card.result, threshold=replace(card.result.threshold, value=8.0))

    assert "chance alone" not in recalibration_card(replace(card, result=far))


def test_held_episodes_are_shown_with_time_machine_and_cause(card: RecalibrationCard) -> None:
    text = recalibration_card(card)

    assert "2014-05-03 04:00 &emsp; | 2014-05-03 09:00 &emsp; | R80711 &emsp; | 31" in text
    assert "gearbox temperature, rotor speed" in text


def test_a_raise_since_the_accepted_state_is_told(card: RecalibrationCard) -> None:
    raised = replace(card.result, raised="The threshold has risen by 17% since 2014-03-31.")

    assert "risen by 17% since 2014-03-31" in recalibration_card(replace(card, result=raised))


def test_more_held_episodes_than_fit_are_counted(card: RecalibrationCard) -> None:
    assert "2 more are in `recalibration/held.json`" in recalibration_card(
        replace(card, held=(HELD,) * 12)
    )


def test_acceptance_and_staleness_are_at_the_top(card: RecalibrationCard) -> None:
    changed = replace(
        card,
        accepted="ada: the gearbox is new",
        growth_accepted="bob: the load is higher",
        result=replace(card.result, stale="The live threshold has not moved for 120 days."),
    )

    head = recalibration_card(changed).split("---")[0]

    assert "accepted by ada: the gearbox is new" in head
    assert "Growth so far is normal, says bob: the load is higher" in head
    assert "**Stale:** The live threshold has not moved for 120 days." in head


def test_the_figure_says_how_far_the_threshold_moves(rows: EvaluatedRows) -> None:
    status = np.where(rows.score > 10, 2, 1).astype(np.int8)
    picture = WindowPicture(rows.timeline, rows.score.astype(float), status, 10.0, 10.5, ())

    assert recalibration_window(picture).startswith(b"\x89PNG")
    assert recalibration_window(picture) == recalibration_window(picture)
    assert recalibration_window(picture) != recalibration_window(replace(picture, new=12.0))
