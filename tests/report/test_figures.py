from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import Drift
from pipeline.data.timeline import Timeline
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftResult, DriftVerdict
from pipeline.evaluation.injection import FaultOutcome
from pipeline.evaluation.metrics import EvaluatedRows
from pipeline.report import figures

WIDTH = 1040  # of a model-version page in a window of 1,280 pixels; MLflow cuts what is wider


def size(png: bytes) -> tuple[int, int]:
    """Width and height in a PNG's header."""
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def test_score_figures_are_as_wide_as_the_review_page(
    rows: EvaluatedRows, threshold: ThresholdEstimate
) -> None:
    figures_made = (
        figures.score_distribution(rows, threshold),
        figures.score_timeline(rows, threshold),
        figures.precision_recall(rows, threshold) or b"",
    )

    assert {size(png)[0] for png in figures_made} == {WIDTH}


def test_the_same_rows_give_the_same_picture(
    rows: EvaluatedRows, threshold: ThresholdEstimate
) -> None:
    first = figures.score_distribution(rows, threshold)

    assert figures.score_distribution(rows, threshold) == first


def test_without_incidents_there_is_no_precision_recall_curve(
    rows: EvaluatedRows, threshold: ThresholdEstimate
) -> None:
    healthy = replace(rows, incident=None)

    assert figures.precision_recall(healthy, threshold) is None
    assert size(figures.score_distribution(healthy, threshold))[0] == WIDTH


@pytest.mark.parametrize("score", [0.0, 5.0])
def test_scores_that_are_all_alike_can_be_plotted(
    rows: EvaluatedRows, threshold: ThresholdEstimate, score: float
) -> None:
    flat = replace(rows, score=np.full_like(rows.score, score))

    assert size(figures.score_distribution(flat, threshold))[0] == WIDTH


def test_a_fleet_of_many_entities_stays_one_readable_page(threshold: ThresholdEstimate) -> None:
    n, machines = 20, 30
    timeline = Timeline(
        np.tile(np.arange(n) * 600_000_000_000, machines),
        np.repeat(np.arange(machines), n),
        tuple(f"machine {i}" for i in range(machines)),
        600_000_000_000,
    )
    fleet = EvaluatedRows(
        timeline, np.ones(n * machines, "f4"), np.ones(n * machines, dtype=bool), None
    )

    assert size(figures.score_timeline(fleet, threshold))[1] < 1600


def test_a_training_history_without_validation_can_be_plotted() -> None:
    points = [(step, 1.0 / (step + 1)) for step in range(50)]

    assert size(figures.training_history(points, []))[0] == WIDTH
    assert size(figures.training_history(points, points[::10]))[0] == WIDTH


def test_of_many_channels_only_those_caught_least_are_plotted() -> None:
    outcomes = [
        FaultOutcome("spike", 2.0, "sd", f"m{i:02}", ("+" * (i % 21)).ljust(20, "-"))
        for i in range(60)
    ] + [FaultOutcome("swap", 1.0, "", "m01", "+++++---------------")]

    assert size(figures.fault_recall(outcomes, share=0.5))[1] < 1200


def test_no_planted_fault_can_be_plotted() -> None:
    assert size(figures.fault_recall([], share=0.5))[1] > 100


ODD = ("$x_{$", r"$\frac$", "w" * 300, "a\nb", "</b>", "%s {0}", "\\")


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_plotted_as_it_is_and_leaves_room(rows: EvaluatedRows, name: str) -> None:
    result = DriftResult(name, 0.3, 0.01, 0.02, 500.0, 400.0, rises=True, level="warn")
    verdict = DriftVerdict("none", "none", "nothing", (result,), ())
    outcomes = [FaultOutcome("spike", 2.0, "sd", name, "+++++---------------")]
    timeline = replace(rows.timeline, names=(name, "B"))
    threshold = ThresholdEstimate(1.0, "conformal", 0.01, 99, 9.0, (0.5, None), (0, 1), False, "")  # noqa: FBT003 - fits one line

    assert size(figures.drift_distances(verdict, Drift()))[0] == WIDTH
    assert size(figures.fault_recall(outcomes, share=0.5))[0] > WIDTH
    assert size(figures.score_timeline(replace(rows, timeline=timeline), threshold))[0] == WIDTH


def test_every_level_of_drift_can_be_plotted() -> None:
    results = tuple(
        DriftResult(name, 0.3, 0.01, 0.02, 500.0, 400.0, rises=True, level=level)
        for name, level in [
            ("score", "alarm"),
            ("a", "warn"),
            ("b", "none"),
            ("c", "no power"),
        ]
    )
    verdict = DriftVerdict("threshold stale", "recalibrate", "the score rose.", results, ())

    assert size(figures.drift_distances(verdict, Drift()))[0] == WIDTH


@pytest.mark.parametrize("name", [r"pump $\nofrac{$", "$", "a\x1b[2J\nb", "x" * 5000, "\U0001f525"])
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_an_odd_name_of_a_machine_spoils_no_picture(
    rows: EvaluatedRows, threshold: ThresholdEstimate, name: str
) -> None:
    timeline = replace(rows.timeline, names=(name, *rows.timeline.names[1:]))

    assert size(figures.score_timeline(replace(rows, timeline=timeline), threshold))[0] == WIDTH


def test_an_odd_name_of_a_feature_spoils_no_picture() -> None:
    odd = DriftResult(r"$\nofrac{$", 0.3, 0.01, 0.02, 500.0, 400.0, rises=True, level="warn")
    verdict = DriftVerdict("input drift", "none", "odd", (odd,), ())

    assert size(figures.drift_distances(verdict, Drift()))[0] == WIDTH
