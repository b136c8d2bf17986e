import numpy as np
import pytest

from pipeline.evaluation.injection import FaultOutcome
from pipeline.evaluation.paired import fault_losses

SIZES = (1.0, 2.0, 3.0, 4.0)


def outcomes(shares, seed, places=20, channels=8):
    """Independent episodes, of which that share is caught at each size."""
    random = np.random.default_rng(seed)
    return [
        FaultOutcome(
            "spike",
            size,
            "sd",
            f"c{channel}",
            "".join("+" if random.random() < share else "-" for _ in range(places)),
        )
        for size, share in zip(SIZES, shares, strict=True)
        for channel in range(channels)
    ]


def test_a_detector_loses_nothing_against_itself():
    same = outcomes((0.1, 0.4, 0.8, 1.0), 1)

    loss = fault_losses(same, same)["spike"]

    assert (loss.lost, loss.gained, loss.share, loss.surely) == (0, 0, 0.0, 0.0)
    assert loss.episodes == 640


def test_what_only_one_of_them_catches_is_counted():
    now = [FaultOutcome("spike", 1.0, "sd", "a", "+-+-.")]
    then = [FaultOutcome("spike", 1.0, "sd", "a", "++---")]

    loss = fault_losses(now, then)["spike"]

    assert (loss.episodes, loss.lost, loss.gained, loss.share) == (4, 1, 1, 0.0)


def test_two_alike_rarely_differ_significantly_and_a_blinder_one_always_does():
    alike = [
        fault_losses(
            outcomes((0.1, 0.4, 0.8, 1.0), 2 * n), outcomes((0.1, 0.4, 0.8, 1.0), 2 * n + 1)
        )
        for n in range(200)
    ]
    blind = [
        fault_losses(
            outcomes((0.0, 0.0, 0.1, 0.4), 2 * n), outcomes((0.1, 0.4, 0.8, 1.0), 2 * n + 1)
        )
        for n in range(20)
    ]

    assert 0.01 < np.mean([loss["spike"].surely > 0 for loss in alike]) < 0.1
    assert all(loss["spike"].surely > 0.3 for loss in blind)


def test_episodes_at_one_place_count_together():
    marks = "+" * 10 + "-" * 10
    then = [FaultOutcome("spike", 1.0, "sd", f"c{n}", "+" * 11 + "-" * 9) for n in range(50)]
    now = [FaultOutcome("spike", 1.0, "sd", f"c{n}", marks) for n in range(50)]

    loss = fault_losses(now, then)["spike"]

    assert loss.lost == 50  # fifty channels, but one place
    assert loss.surely < 0


def test_what_only_one_of_them_was_given_is_not_compared():
    now = [FaultOutcome("spike", 1.0, "sd", "a", "+-")]

    assert fault_losses(now, [FaultOutcome("drift", 1.0, "sd", "a", "+-")]) == {}
    assert fault_losses((), now) == {}


def test_other_places_are_refused():
    now, then = ([FaultOutcome("spike", 1.0, "sd", "a", marks)] for marks in ("+-", "+"))

    with pytest.raises(ValueError, match="2 places and at 1"):
        fault_losses(now, then)
