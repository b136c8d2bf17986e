from __future__ import annotations

from datetime import date

import numpy as np

from benchmarks.replay.opponents import nanoseconds, play, thresholds
from benchmarks.replay.policies import Past, Policy, PolicyThreshold
from benchmarks.replay.rows import Judged
from benchmarks.replay.story import months
from benchmarks.replay.tally import tally
from pipeline.data.timeline import Timeline

HOUR = 3_600_000_000_000
MONTHS = list(months(date(2014, 4, 1), date(2014, 6, 30)))


def hourly(score: np.ndarray, incident: np.ndarray | None = None) -> Judged:
    n = len(score)
    time_ns = nanoseconds(date(2014, 4, 1)) + HOUR * np.arange(n)
    dark = np.zeros(n, dtype=bool)
    incident = dark if incident is None else incident
    return Judged(
        timeline=Timeline(time_ns, np.zeros(n, dtype=np.intp), ("",), HOUR),
        score=score,
        threshold=np.ones(n),
        version=np.ones(n, dtype=np.int64),
        muted=dark,
        normal=~incident,
        incident=incident,
    )


ROWS = 24 * 91  # April, May, June


def test_months_are_whole_and_end_with_the_span() -> None:
    assert list(months(date(2014, 12, 1), date(2015, 2, 10))) == [
        (date(2014, 12, 1), date(2014, 12, 31)),
        (date(2015, 1, 1), date(2015, 1, 31)),
        (date(2015, 2, 1), date(2015, 2, 10)),
    ]


def test_a_threshold_follows_from_the_days_before_it_and_from_no_later_one() -> None:
    seen: list[tuple[float, float]] = []

    def remember(past: Past) -> PolicyThreshold:
        seen.append((past.score.min(), past.score.max()))
        return PolicyThreshold(1.0)

    play(
        Policy(remember),
        hourly(np.arange(ROWS, dtype=float)),
        MONTHS,
        first=PolicyThreshold(1.0),
        at_training=np.ones(1),
        alpha=0.01,
        window_days=30,
    )

    april, may = 24 * 30, 24 * 31
    assert seen == [(0, april - 1), (april + 24, april + may - 1)]


def test_a_policy_sees_its_own_former_thresholds() -> None:
    seen: list[set[float]] = []

    def grow(past: Past) -> PolicyThreshold:
        seen.append(set(past.in_force))
        return PolicyThreshold(past.current.value + 1)

    play(
        Policy(grow),
        hourly(np.zeros(ROWS)),
        MONTHS,
        first=PolicyThreshold(1.0),
        at_training=np.ones(1),
        alpha=0.01,
        window_days=40,
    )

    assert seen == [{1.0}, {1.0, 2.0}]


def test_a_threshold_is_in_force_from_its_first_day() -> None:
    rows = hourly(np.zeros(ROWS))

    in_force = thresholds(
        [(MONTHS[0][0], PolicyThreshold(1)), (MONTHS[1][0], PolicyThreshold(2))],
        rows.timeline.time_ns,
    )

    assert in_force[24 * 30 - 1] == 1
    assert in_force[24 * 30] == 2


def test_rates_count_normal_rows_and_an_outage_counts_where_it_begins() -> None:
    incident = np.zeros(ROWS, dtype=bool)
    incident[24 * 30 - 2 : 24 * 30 + 2] = True  # begins in April, its flag is in May
    incident[24 * 70 : 24 * 70 + 3] = True  # June, never flagged
    score = np.zeros(ROWS)
    score[24 * 30 + 1] = score[:7] = 9.0

    counted = tally(
        "p", hourly(score, incident), np.ones(ROWS), [(MONTHS[0][0], PolicyThreshold(1))], MONTHS
    )

    assert [(m.false_alarms, m.outages, m.hit) for m in counted.months] == [
        (7, 1, 1),
        (0, 0, 0),
        (0, 1, 0),
    ]
    assert counted.months[0].normal_rows == 24 * 30 - 2
    assert counted.worst.month != "2014-04"  # before the first recalibration
