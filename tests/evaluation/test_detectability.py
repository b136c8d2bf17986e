import pytest

from pipeline.evaluation.detectability import detectable
from pipeline.evaluation.injection import FaultOutcome

LIMITS = {"spike": 3.0}


def spikes(caught_by_size, channels=4, places=20):
    """Outcomes in which each channel catches that many of the places."""
    return [
        FaultOutcome("spike", size, "sd", f"c{channel}", ("+" * caught).ljust(places, "-"))
        for size, caught in caught_by_size.items()
        for channel in range(channels)
    ]


def scattered(size, caught):
    """As many caught in each channel, at places of its own."""
    return [
        FaultOutcome(
            "spike", size, "sd", f"c{channel}", marks[5 * channel :] + marks[: 5 * channel]
        )
        for channel in range(4)
        for marks in [("+" * caught).ljust(20, "-")]
    ]


def test_the_range_holds_the_sizes_that_the_episodes_leave_open():
    found = detectable(spikes({1.0: 1, 2.0: 9, 3.0: 12, 4.0: 20}), share=0.5, limits=LIMITS)

    assert found["spike"].smallest == 3.0
    assert found["spike"].low == 2.0
    assert found["spike"].high == 4.0


def test_what_is_never_caught_has_no_size():
    found = detectable(spikes({1.0: 0, 2.0: 0}), share=0.5, limits=LIMITS)["spike"]

    assert (found.smallest, found.low, found.high) == (None, None, None)


def test_the_limit_takes_the_largest_injected_size_that_it_allows():
    outcomes = spikes({1.0: 1, 2.0: 9, 4.0: 20})

    at = {
        limit: detectable(outcomes, share=0.5, limits={"spike": limit})["spike"].at_limit.size
        for limit in (0.5, 2.0, 3.9, 100.0)
    }
    assert at == {0.5: 1.0, 2.0: 2.0, 3.9: 2.0, 100.0: 4.0}
    assert detectable(outcomes, share=0.5, limits={})["spike"].at_limit.size == 4.0


def test_channels_that_share_their_places_count_as_few_episodes():
    alike = detectable(spikes({3.0: 10}), share=0.5, limits={})["spike"].at_limit
    apart = detectable(scattered(3.0, 10), share=0.5, limits={})["spike"].at_limit

    assert alike.share == apart.share == pytest.approx(0.5)
    assert alike.high - alike.low > 1.5 * (apart.high - apart.low)


def test_all_caught_is_as_sure_as_its_places_are_many():
    found = detectable(spikes({3.0: 20}, channels=50), share=0.5, limits={})["spike"].at_limit

    assert found.episodes == 1000
    assert found.low == pytest.approx(0.832, abs=0.01)


def test_episodes_that_the_fault_does_not_change_do_not_count():
    outcomes = [
        FaultOutcome("dropout", 1.0, "", "a", "..++-"),
        FaultOutcome("dropout", 1.0, "", "b", "....."),
    ]

    found = detectable(outcomes, share=0.5, limits={})

    assert found["dropout"].at_limit.episodes == 3
    assert detectable(outcomes[1:], share=0.5, limits={}) == {}
