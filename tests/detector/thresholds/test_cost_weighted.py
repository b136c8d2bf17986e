import numpy as np
import pytest

from pipeline.config import Threshold
from pipeline.data.label import INCIDENT
from pipeline.data.split import Block
from pipeline.detector.calibration import calibrate, estimate_threshold
from pipeline.detector.scored import WindowScores
from pipeline.detector.thresholds.cost_weighted import LabelledScores, estimate_from_labels
from pipeline.errors import CalibrationError, SplitReuseError
from tests.detector.plant import CHANNELS, normal_rows, schema, timed


def settings(**changes):
    return Threshold(method="cost_weighted", **changes)


def scores(*, gap=3.0, incidents=8, rows=10, seed=0):
    """Rows of one incident have a height of their own in common."""
    random = np.random.default_rng(seed)
    height = np.repeat(random.normal(size=incidents), rows)
    return LabelledScores(
        normal=np.exp(random.normal(size=2000)),
        faulty=np.exp(gap + height + 0.3 * random.normal(size=incidents * rows)),
        incident=np.repeat(np.arange(incidents), rows),
    )


def drawn(told, **changes):
    return estimate_from_labels(told, settings(**changes), n_effective=len(told.normal))


def by_load(rows):
    return WindowScores(np.exp(rows[:, 0]), np.abs(rows[:, : len(CHANNELS)]))


def with_incidents(count):
    """A day's rows with `count` incidents of three rows, an hour and more apart."""
    frame = timed(normal_rows(1200)).assign(eval_label=0)
    for number in range(count):
        rows = slice(50 + 40 * number, 52 + 40 * number)
        frame.loc[rows, ["load", "eval_label"]] = [9.0, INCIDENT]
    return frame


def test_a_dearer_miss_draws_a_lower_line():
    lines = [drawn(scores(gap=1.0), miss_cost=cost).value for cost in (1, 10, 100)]

    assert lines[0] > lines[1] > lines[2]


def test_the_cost_at_the_line_is_the_least_there_is():
    told = scores(gap=1.0)

    line = drawn(told, miss_cost=5).value

    def cost(at):
        return 5 * (told.faulty <= at).sum() + (told.normal > at).sum()

    assert cost(line) == min(cost(at) for at in np.concatenate([told.normal, told.faulty]))


@pytest.mark.parametrize("objective", ["cost", "f1", "youden"])
def test_kinds_that_lie_apart_are_parted_without_a_mistake(objective):
    told = scores(gap=20)

    line = drawn(told, objective=objective).value

    assert told.normal.max() <= line < told.faulty.min()


def test_a_large_block_is_parted_as_well_as_a_small_one():
    random = np.random.default_rng(1)
    told = LabelledScores(
        random.lognormal(size=60_000), np.exp(30.0 + random.random(60)), np.repeat(range(6), 10)
    )

    assert told.normal.max() <= drawn(told).value < told.faulty.min()


def test_it_reports_the_rate_that_it_has_and_not_the_one_that_was_asked_for():
    told = scores(gap=1.0)

    line = drawn(told, alpha=0.001)

    assert line.alpha == pytest.approx((told.normal > line.value).mean(), abs=1e-3)
    assert line.rate_interval[0] < line.alpha < line.rate_interval[1]
    assert "No guarantee" in line.note
    assert "miss" in line.note


def test_the_interval_is_narrower_with_many_short_incidents_than_with_few_long_ones():
    def width(told):
        low, high = np.log(drawn(told, objective="youden").interval)
        return high - low

    few, many = (
        np.mean([width(scores(gap=1.5, incidents=n, rows=r, seed=s)) for s in range(10)])
        for n, r in [(6, 100), (60, 10)]
    )

    assert many < few
    assert drawn(scores(incidents=5)).low_confidence
    assert not drawn(scores(incidents=30)).low_confidence


def test_too_few_incidents_are_refused_with_count_limit_and_mend():
    with pytest.raises(CalibrationError, match=r"4 labelled incidents .*at least 5 .*conformal"):
        drawn(scores(incidents=4))


def test_calibration_draws_it_between_the_rows_and_the_incidents_of_its_block():
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
