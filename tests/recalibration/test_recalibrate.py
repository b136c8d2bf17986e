from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from pipeline.config import Recalibration, Threshold
from pipeline.data.label import INCIDENT, NORMAL
from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.methods import THRESHOLDS
from pipeline.errors import CalibrationError
from pipeline.recalibration import (
    STATUSES,
    Anchor,
    KeptScores,
    Memory,
    accepted_anchor,
    recalibrate,
    unforced_anchor,
)
from tests.recalibration.window import (
    THRESHOLD,
    changed,
    estimate,
    recalibrated,
    scores,
    timeline_of,
    window,
)

N = 20_000


def test_without_labels_and_anomalies_it_is_the_conformal_threshold_of_the_kept_rows():
    rows = window(scores(N))

    result = recalibrated(rows)

    kept = rows.score[result.weight > 0]
    plain = THRESHOLDS["conformal"](kept, alpha=0.01, n_effective=len(kept))
    assert result.threshold.value == plain.value
    assert result.threshold.interval == pytest.approx(plain.interval, rel=0.01)
    assert result.stops == ()
    assert result.stale == ""


def test_each_row_gets_the_status_that_fits():
    score = np.full(N, 1.0)
    score[[10, 2000, 3000, 4000]] = 2 * THRESHOLD
    score[5000:5040] = 2 * THRESHOLD
    verdict = np.zeros(N, dtype=np.int8)
    verdict[2000], verdict[3000] = NORMAL, INCIDENT
    excluded = np.zeros(N, dtype=bool)
    excluded[4000] = True
    rows = changed(window(score + 1e-3 * scores(N)), verdict=verdict, excluded=excluded)

    status = recalibrated(rows, current=estimate()).status

    names = [STATUSES[status[row]] for row in (11, 10, 2000, 3000, 4000, 5020)]
    assert names == ["presumed", "suspect", "confirmed", "incident", "excluded", "held"]


def test_sustained_episodes_are_held_back_and_shown_longest_first():
    score = scores(N)
    score[500:530] = score[9000:9060] = 5 * THRESHOLD

    result = recalibrated(window(score))

    assert [len(episode.rows) for episode in result.held[:2]] == [60, 30]
    assert result.held[0].rows.tolist() == list(range(9000, 9060))
    assert result.weight[9000:9060].sum() == 0
    assert result.counts["held"] >= 90


def test_a_threshold_that_has_fallen_behind_does_not_hold_back_what_is_normal_now():
    rows = window(3 * scores(N, rho=0.9), threshold=THRESHOLD)

    result = recalibrated(rows, reference=scores(5000, seed=99, rho=0.9))

    assert (rows.score > THRESHOLD).mean() > 0.1
    assert result.counts["held"] < 0.002 * N
    assert result.threshold.value == pytest.approx(3 * THRESHOLD, rel=0.12)


def test_months_are_pooled_at_the_level_of_the_newest():
    growth = np.repeat(1.1 ** np.arange(1, 7), N)
    rows = window(scores(6 * N) * growth)

    aligned = recalibrated(rows)
    pooled = recalibrated(rows, limits=Recalibration(align_levels=False))

    assert aligned.threshold.value == pytest.approx(THRESHOLD * 1.1**6, rel=0.03)
    assert aligned.level == pytest.approx(1.1**6, rel=0.02)
    assert pooled.threshold.value < 0.95 * THRESHOLD * 1.1**6


def test_neighbours_that_are_alike_widen_the_interval():
    alone = recalibrated(window(scores(N))).threshold
    alike = recalibrated(window(scores(N, rho=0.9)), reference=scores(5000, 99, rho=0.9)).threshold

    assert alike.n_effective < 0.2 * alone.n_effective
    assert alike.rate_interval[1] - alike.rate_interval[0] > 3 * (
        alone.rate_interval[1] - alone.rate_interval[0]
    )


def test_order_of_the_rows_does_not_matter():
    rows = window(scores(N))
    order = np.random.default_rng(5).permutation(N)
    timeline = timeline_of(N)
    mixed = changed(
        rows,
        score=rows.score[order],
        timeline=type(timeline)(
            timeline.time_ns[order], timeline.entity, timeline.names, timeline.cadence_ns
        ),
    )

    assert recalibrated(mixed).threshold.value == recalibrated(rows).threshold.value


def test_a_score_that_is_no_number_is_refused():
    score = scores(N)
    score[7] = np.nan

    with pytest.raises(CalibrationError, match=r"1 of 20,000 scores .* score its day again"):
        recalibrated(window(score))


def test_too_few_days_are_refused_with_count_limit_and_fix():
    with pytest.raises(CalibrationError, match=r"2 days; at least 14 .*recalibration.window_days"):
        recalibrated(window(scores(1000)))


def test_too_few_normal_rows_are_refused_with_count_limit_and_fix():
    rows = changed(window(scores(N)), verdict=np.full(N, INCIDENT, dtype=np.int8))
    rows.verdict[:50] = NORMAL

    with pytest.raises(CalibrationError, match=r"50 rows .* at least 99 .*window_days"):
        recalibrated(rows)


def test_few_normal_rows_give_a_hill_threshold_where_the_file_allows_it():
    rows = changed(window(scores(N)), verdict=np.full(N, INCIDENT, dtype=np.int8))
    rows.verdict[:50] = NORMAL

    result = recalibrated(rows, threshold=Threshold(small_sample="hill"))

    assert result.threshold.method == "hill"
    assert result.threshold.low_confidence


def test_a_reference_without_time_is_refused():
    without = KeptScores(scores(100), None)

    with pytest.raises(CalibrationError, match=r"have no time.*schema.timestamp"):
        recalibrate(
            window(scores(N)), Memory(without, without), estimate(),
            Anchor(THRESHOLD, 1.0, date(2014, 1, 1), moved=date(2014, 1, 1)), Recalibration(),
            Threshold(),
        )  # fmt: skip


def test_an_accepted_threshold_is_what_later_moves_are_measured_from():
    result = recalibrated(window(2 * scores(N)))

    assert accepted_anchor(result) == Anchor(
        result.threshold.value, result.level, date(2014, 1, 30), moved=date(2014, 1, 30)
    )
    assert unforced_anchor(result).threshold == THRESHOLD
    assert unforced_anchor(result).moved == date(2014, 1, 30)


def test_a_threshold_that_has_not_moved_for_three_months_is_reported():
    moved = date(2014, 1, 30) - timedelta(days=91)

    assert (
        "91 days"
        in recalibrated(window(scores(N)), anchor=Anchor(THRESHOLD, 1.0, moved, moved)).stale
    )


def test_growth_below_every_bound_is_not_followed_without_an_answer():
    """Four months of 8 % each: no step, no total and no creep, and the threshold would learn it."""
    months = 5
    score = scores(months * 6000, seed=21)
    grown = score * np.repeat(1.08 ** np.arange(months), 6000)
    rows = replace(window(grown, threshold=1.3 * THRESHOLD), timeline=ten_minutes(months * 6000))

    result = recalibrated(
        rows,
        current=estimate(1.25 * THRESHOLD, (0.8, 1.25)),
        anchor=Anchor(1.25 * THRESHOLD, 1.0, date(2013, 12, 31), moved=date(2013, 12, 31)),
        limits=Recalibration(maximum_growth=1.0, maximum_step=5.0, maximum_total=5.0),
    )

    assert result.degradation is not None
    assert [stop.name for stop in result.stops] == ["degradation"]
    assert "look at the channels and machines" in result.stops[0].reason


def test_growth_that_raises_no_threshold_needs_no_answer():
    rows = replace(window(1.3 * scores(30_000, seed=22)), timeline=ten_minutes(30_000))

    result = recalibrated(
        rows,
        current=estimate(9 * THRESHOLD),
        anchor=Anchor(THRESHOLD, 1.0, date(2013, 12, 31), moved=date(2013, 12, 31)),
        limits=Recalibration(maximum_growth=9.0, maximum_step=50.0, maximum_total=50.0),
    )

    assert result.degradation is not None
    assert result.stops == ()
    assert result.raised.startswith("The threshold has risen by 27% since 2013-12-31")


def test_a_provisional_threshold_was_not_known_well_enough_to_say_that_it_has_risen():
    rows = replace(window(1.3 * scores(30_000, seed=22)), timeline=ten_minutes(30_000))
    few = scores(60, seed=23)

    result = recalibrated(
        rows,
        current=estimate(9 * THRESHOLD),
        anchor=Anchor(THRESHOLD, 1.0, date(2013, 12, 31), moved=date(2013, 12, 31)),
        reference=few,
        limits=Recalibration(maximum_growth=9.0, maximum_step=50.0, maximum_total=50.0),
    )

    assert result.total > 0.2
    assert result.raised == ""


def ten_minutes(n):
    one = timeline_of(n)
    start = int(one.time_ns[0])
    return Timeline(start + np.arange(n) * 600_000_000_000, one.entity, ("",), 600_000_000_000)


def test_growth_that_a_person_has_called_normal_is_not_asked_about_again():
    rows = replace(window(1.3 * scores(30_000, seed=22)), timeline=ten_minutes(30_000))
    given = {
        "current": estimate(THRESHOLD),
        "anchor": Anchor(THRESHOLD, 1.0, date(2013, 12, 31), moved=date(2013, 12, 31)),
        "limits": Recalibration(maximum_growth=9.0, maximum_step=50.0, maximum_total=50.0),
    }

    asked = recalibrated(rows, **given)
    answered = recalibrated(rows, **given, growth_accepted=True)

    assert [stop.name for stop in asked.stops] == ["degradation"]
    assert asked.raised
    assert (answered.stops, answered.degradation, answered.raised) == ((), None, "")
    assert answered.threshold == asked.threshold
