from __future__ import annotations

import numpy as np

from pipeline.data.timeline import Timeline
from pipeline.evaluation.replay import Replayed, replay

CADENCE = 600_000_000_000


def steady(n: int) -> Timeline:
    return Timeline(np.arange(n) * CADENCE, np.zeros(n, dtype=np.intp), ("A",), CADENCE)


def detector(n: int, flagged: dict[int, float], threshold: float) -> Replayed:
    score = np.linspace(0.0, 0.5, n) * threshold
    for row, excess in flagged.items():
        score[row] = excess * threshold
    return Replayed(score.astype(np.float32), threshold)


def test_alerts_a_day_are_counted_for_both_on_the_same_rows() -> None:
    candidate = detector(288, {10: 2.0, 100: 2.0, 200: 2.0, 201: 2.0}, threshold=5.0)
    champion = detector(288, {100: 3.0}, threshold=0.1)

    found = replay(steady(288), candidate, champion)

    assert (found.days, found.alerts_per_day, found.champion_alerts_per_day) == (2, 1.5, 0.5)
    assert (found.gained, found.lost) == (3, 0)


def test_the_most_changed_rows_come_first_and_unchanged_flags_are_not_listed() -> None:
    candidate = detector(50, {10: 1.5, 20: 9.0, 30: 5.0}, threshold=1.0)
    champion = detector(50, {30: 2.0, 40: 1.2}, threshold=1.0)

    found = replay(steady(50), candidate, champion, most=2)

    assert [row.candidate for row in found.changed] == [9.0, 1.5]
    assert found.lost == 1


def test_a_change_of_unit_alone_changes_nothing() -> None:
    champion = detector(50, {30: 2.0}, threshold=1.0)
    candidate = detector(50, {30: 2.0}, threshold=1000.0)

    found = replay(steady(50), candidate, champion)

    assert (found.gained, found.lost, found.changed) == (0, 0, ())
    assert found.rank_agreement is not None
    assert found.rank_agreement > 0.99
