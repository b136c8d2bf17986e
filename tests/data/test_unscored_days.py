"""Days of a training window that were never scored."""

from datetime import date

from pipeline.data.unscored_days import UnscoredDays, unscored_of
from tests.builders import days

WINDOW = days(10)


def test_days_after_the_live_training_without_scores_are_counted_with_their_ends():
    found = unscored_of(WINDOW, [WINDOW[5], WINDOW[9]], after=WINDOW[3])

    assert found == UnscoredDays(4, WINDOW[4], WINDOW[8])


def test_where_all_later_days_are_scored_there_are_none():
    assert unscored_of(WINDOW, WINDOW[4:], after=WINDOW[3]) is None


def test_days_that_the_live_version_was_trained_on_need_no_scores():
    assert unscored_of(WINDOW, [], after=WINDOW[-1]) is None


def test_the_sentence_says_how_many_which_and_what_to_do():
    said = UnscoredDays(39, date(2024, 3, 2), date(2024, 4, 9)).sentence

    assert said == (
        "39 days of the window were never scored, so nobody looked for lasting faults on them: "
        "2024-03-02 to 2024-04-09; score them first."
    )
