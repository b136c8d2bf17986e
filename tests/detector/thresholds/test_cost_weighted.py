import numpy as np
import pytest

from pipeline.config import Threshold
from pipeline.data.label import INCIDENT
from pipeline.data.split import Block
from pipeline.detector.calibration.calibrate import calibrate, estimate_threshold
from pipeline.detector.inputs.scored import WindowScores
from pipeline.detector.thresholds.cost_weighted import LabelledScores, estimate_from_labels
from pipeline.errors import CalibrationError, SplitReuseError
from tests.detector.plant import CHANNELS, normal_rows, schema, timed


def settings(**changes):
    return Threshold(method="cost_weighted", **changes)


def scores(*, gap=3.0, incidents=8, rows=10, seed=0):
    """Rows of one incident share a level of their own."""
    random = np.random.default_rng(seed)
    height = np.repeat(random.normal(size=incidents), rows)
    return LabelledScores(
        normal=np.exp(random.normal(size=2000)),
        faulty=np.exp(gap + height + 0.3 * random.normal(size=incidents * rows)),
        incident=np.repeat(np.arange(incidents), rows),
    )


def estimated(labelled, **changes):
    return estimate_from_labels(labelled, settings(**changes), n_effective=len(labelled.normal))


def by_load(rows):
    return WindowScores(np.exp(rows[:, 0]), np.abs(rows[:, : len(CHANNELS)]))


def with_incidents(count):
    """A day's rows with `count` incidents of three rows, an hour and more apart."""
    frame = timed(normal_rows(1200)).assign(eval_label=0)
    for number in range(count):
        rows = slice(50 + 40 * number, 52 + 40 * number)
        frame.loc[rows, ["load", "eval_label"]] = [9.0, INCIDENT]
    return frame


def test_a_dearer_miss_gives_a_lower_threshold():
    thresholds = [estimated(scores(gap=1.0), miss_cost=cost).value for cost in (1, 10, 100)]

    assert thresholds[0] > thresholds[1] > thresholds[2]


def test_the_cost_at_the_threshold_is_the_least():
    labelled = scores(gap=1.0)

    threshold = estimated(labelled, miss_cost=5).value

    def cost(at):
        return 5 * (labelled.faulty <= at).sum() + (labelled.normal > at).sum()

    assert cost(threshold) == min(
        cost(at) for at in np.concatenate([labelled.normal, labelled.faulty])
    )


@pytest.mark.parametrize("objective", ["cost", "f1", "youden"])
def test_well_separated_kinds_are_separated_without_a_mistake(objective):
    labelled = scores(gap=20)

    threshold = estimated(labelled, objective=objective).value

    assert labelled.normal.max() <= threshold < labelled.faulty.min()


def test_a_large_block_is_separated_as_well_as_a_small_one():
    random = np.random.default_rng(1)
    labelled = LabelledScores(
        random.lognormal(size=60_000), np.exp(30.0 + random.random(60)), np.repeat(range(6), 10)
    )

    assert labelled.normal.max() <= estimated(labelled).value < labelled.faulty.min()


def test_it_reports_the_rate_that_it_has_and_not_the_one_that_was_asked_for():
    labelled = scores(gap=1.0)

    threshold = estimated(labelled, alpha=0.001)

    assert threshold.alpha == pytest.approx((labelled.normal > threshold.value).mean(), abs=1e-3)
    assert threshold.rate_interval[0] < threshold.alpha < threshold.rate_interval[1]
    assert "No guarantee" in threshold.note
    assert "miss" in threshold.note


def test_the_interval_is_narrower_with_many_short_incidents_than_with_few_long_ones():
    def width(labelled):
        low, high = np.log(estimated(labelled, objective="youden").interval)
        return high - low

    few, many = (
        np.mean([width(scores(gap=1.5, incidents=n, rows=r, seed=s)) for s in range(10)])
        for n, r in [(6, 100), (60, 10)]
    )

    assert many < few
    assert estimated(scores(incidents=5)).low_confidence
    assert not estimated(scores(incidents=30)).low_confidence


def test_too_few_incidents_are_refused_with_count_limit_and_fix():
    with pytest.raises(CalibrationError, match=r"4 labelled incidents .*at least 5 .*conformal"):
        estimated(scores(incidents=4))


def test_calibration_estimates_it_between_the_rows_and_the_incidents_of_its_block():
    block = Block("calibration", with_incidents(12))

    found = calibrate(block, schema(timed=True), by_load, settings())

    assert np.exp(normal_rows(1200)["load"].max()) * 0.9 < found.threshold.value < np.exp(9)
    assert found.threshold.n == 1200 - 12 * 3
    assert found.reference.score.max() < np.exp(8)


def test_rows_of_one_incident_count_as_one():
    frame = with_incidents(1)
    frame.loc[100:400, "eval_label"] = INCIDENT

    with pytest.raises(CalibrationError, match="2 labelled incidents"):
        calibrate(Block("calibration", frame), schema(timed=True), by_load, settings())


@pytest.mark.parametrize("role", ["test", "train"])
def test_the_evaluation_split_is_refused(role):
    with pytest.raises(SplitReuseError, match=f"{role} block"):
        calibrate(Block(role, with_incidents(12)), schema(timed=True), by_load, settings())


def test_without_labels_it_says_what_to_set():
    with pytest.raises(CalibrationError, match=r"set threshold\.method to conformal"):
        estimate_threshold(np.ones(500), settings(), n_effective=500)
