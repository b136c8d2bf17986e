import numpy as np
import pytest

from pipeline.data.clusters import mean_span, spanned
from pipeline.data.held_back import NOTHING_HELD, held_lines, held_sentence
from pipeline.data.sustained import listed, sustained_rows
from tests.recalibration.window import scores, timeline_of


def contaminated(n, share, seed=0, rho=0.5):
    """Scores with a share of rows in episodes of 10 to 60 rows, and a mask of these."""
    random = np.random.default_rng(seed)
    score, bad = scores(n, seed, rho), np.zeros(n, dtype=bool)
    while bad.sum() < share * n:
        start, rows = random.integers(n - 60), random.integers(10, 60)
        bad[start : start + rows] = True
    score[bad] *= np.exp(0.8 * 4)
    return score, bad


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_episodes_are_found_whatever_share_of_the_rows_they_are(share):
    score, bad = contaminated(2160, share)

    held = sustained_rows(score, timeline_of(2160), alpha=0.01)

    assert held[bad].mean() > 0.9
    assert held[~bad].mean() < 0.005


def test_the_threshold_of_the_other_rows_is_nearly_that_of_clean_ones():
    rates = []
    for seed in range(20):
        score, _ = contaminated(2160, 0.05, seed)
        kept = ~sustained_rows(score, timeline_of(2160), alpha=0.01)
        rates.append(float((scores(50_000, 99) > np.quantile(score[kept], 0.99)).mean()))

    assert 0.008 < np.mean(rates) < 0.013


def test_a_short_episode_is_held_where_no_normal_row_scores_as_high():
    """Two hours at sixty times the threshold: one per cent of the rows, and they would set it."""
    score = scores(2160, 3, 0.93)
    mean = spanned(mean_span(score, timeline_of(2160), alpha=0.01, join_rows=4), 0.1)
    high, low = score.copy(), score.copy()
    high[700:711], high[1500:1511] = 60 * np.quantile(score, 0.99), 70 * np.quantile(score, 0.99)
    low[700:711], low[1500:1511] = 1.5 * np.quantile(score, 0.99), 1.6 * np.quantile(score, 0.99)

    held = sustained_rows(high, timeline_of(2160), alpha=0.01)
    of_low = sustained_rows(low, timeline_of(2160), alpha=0.01)

    assert mean > 11  # not longer than normal clusters are
    assert held[700:711].all()
    assert held[1500:1511].all()
    assert not of_low[700:711].any()


def test_clean_rows_have_hardly_any_and_those_far_above_even_fewer():
    held = [
        [
            sustained_rows(score, timeline_of(4000), alpha=0.01, far_only=far_only).mean()
            for far_only in (False, True)
        ]
        for score in (scores(4000, seed, 0.5) for seed in range(20))
    ]

    every, far = np.mean(held, axis=0)
    assert far <= every < 0.001


def test_constant_scores_hold_nothing_back():
    assert not sustained_rows(np.ones(500), timeline_of(500), alpha=0.01).any()
    assert not sustained_rows(np.zeros(500), timeline_of(500), alpha=0.01).any()


def test_of_a_channel_with_two_values_neither_is_an_episode():
    score = np.zeros(500)
    score[100:140] = 1.0

    assert not sustained_rows(score, timeline_of(500), alpha=0.01).any()


def test_the_list_counts_all_and_names_the_longest():
    held = np.zeros(5000, dtype=bool)
    for number in range(60):
        held[80 * number : 80 * number + 10 + number % 7] = True

    found = listed(held, timeline_of(5000))

    assert found.rows == held.sum()
    assert found.episodes == 60
    assert len(found.longest) == 50
    assert found.longest[0].rows == 16
    assert listed(np.zeros(5000, dtype=bool), timeline_of(5000)) == NOTHING_HELD


def test_the_sentence_says_how_many_and_what_to_do():
    held = np.zeros(500, dtype=bool)
    held[100:120] = True
    found = listed(held, timeline_of(500))

    text = held_sentence(found, "calibration")
    lines = list(held_lines(found, 10))

    assert text.startswith("Held back from the calibration block: 20 rows in 1 episode that")
    assert "label" in text
    assert len(lines) == 1
    assert lines[0].endswith("UTC, 20 rows")
    assert list(held_lines(found, 0)) == ["and 1 more"]
