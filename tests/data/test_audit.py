from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipeline.data.audit import probabilities, sample_audits
from pipeline.data.timeline import timeline_from
from tests.builders import days, make_frame, make_spec, moment, on

NOW = datetime(2024, 3, 1, 6, tzinfo=UTC)
DAY, NEXT, LATER = days(3)


@dataclass(frozen=True)
class Episode:
    id: str
    entity: str
    start: datetime
    end: datetime


def make_episodes(n, *, rows=lambda number: 1 + number % 30):
    """Episodes of 1 to 30 hourly rows; every seventh hour one begins."""
    begins = [moment(DAY) + timedelta(hours=7 * number) for number in range(n)]
    return [
        Episode(f"id{number}", "abc"[number % 3], begin, begin + timedelta(hours=rows(number) - 1))
        for number, begin in enumerate(begins)
    ]


def sampled_ids(episodes, share=0.2, detector="pumps"):
    return {audit.incident for audit in sample_audits(detector, episodes, share, now=NOW)}


def test_a_rerun_in_any_order_samples_the_same():
    episodes = make_episodes(200)

    assert sampled_ids(episodes) == sampled_ids(episodes[::-1])
    assert sampled_ids(episodes[:100]) | sampled_ids(episodes[100:]) == sampled_ids(episodes)


def test_the_share_that_is_sampled_is_the_probability_that_is_recorded():
    episodes = make_episodes(20_000)

    sampled = sample_audits("pumps", episodes, 0.2, now=NOW)

    # Four standard deviations of a binomial share.
    assert len(sampled) / len(episodes) == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / 20_000))
    assert {audit.probability for audit in sampled} == {0.2}


def test_short_episodes_are_sampled_as_often_as_long_ones():
    episodes = make_episodes(20_000)
    chosen = sampled_ids(episodes)

    for short in (True, False):
        some = [e for e in episodes if (e.end - e.start < timedelta(hours=2)) is short]
        share = sum(e.id in chosen for e in some) / len(some)
        assert share == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / len(some)))


def test_weighting_by_the_probability_gives_back_the_whole():
    episodes = make_episodes(20_000)
    hours = sum((e.end - e.start) / timedelta(hours=1) + 1 for e in episodes)

    sampled = sample_audits("pumps", episodes, 0.2, now=NOW)

    weighed = sum(((a.end - a.start) / timedelta(hours=1) + 1) / a.probability for a in sampled)
    assert weighed == pytest.approx(hours, rel=0.05)


def test_the_sample_of_a_larger_share_contains_that_of_a_smaller_one():
    episodes = make_episodes(500)

    assert sampled_ids(episodes, 0.1) < sampled_ids(episodes, 0.3)
    assert len(sampled_ids(episodes, 1.0)) == 500


def test_two_detectors_have_different_samples():
    episodes = make_episodes(500)

    assert sampled_ids(episodes) != sampled_ids(episodes, detector="fans")


def test_only_rows_of_a_sampled_episode_have_its_probability():
    frame = make_frame(1)
    audits = sample_audits(
        "pumps", [Episode("x", "a", moment(DAY, 3), moment(DAY, 5))], 1.0, now=NOW
    )
    audits = [replace(audit, probability=0.2) for audit in audits]

    found = probabilities(timeline_from(frame, make_spec().columns), audits)

    inside = on(frame, "a", [3, 4, 5]).to_numpy()
    assert (found[inside] == 0.2).all()
    assert np.isnan(found[~inside]).all()
