from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Columns, Feature
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.metrics import Evaluation, evaluate, evaluated_rows, incidents_caught
from pipeline.records import from_json, to_json

COLUMNS = Columns(
    cadence="10min",
    entity="machine",
    features={"x": Feature(unit="1")},
    evaluation_only=("eval_incident", "eval_doubtful"),
    incident="eval_incident",
    exclude_from_training=("eval_incident", "eval_doubtful"),
)
THRESHOLD = ThresholdEstimate(
    1.0, "conformal", 0.01, 500, 500, (0.9, 1.1), (0.003, 0.02), low_confidence=False, note=""
)


def frame(n: int, incident: list[int], doubtful: tuple[int, ...] = ()) -> pd.DataFrame:
    rows = np.arange(n)
    return pd.DataFrame(
        {
            "timestamp": pd.date_range("2024-01-01", periods=n, freq="10min", tz="UTC"),
            "machine": "A",
            "eval_incident": np.isin(rows, incident),
            "eval_doubtful": np.isin(rows, doubtful),
        }
    )


def judge(scores: list[float], incident: list[int], doubtful: tuple[int, ...] = ()) -> Evaluation:
    rows = evaluated_rows(frame(len(scores), incident, doubtful), np.array(scores), COLUMNS)
    return evaluate(rows, THRESHOLD)


def test_precision_recall_and_incidents_are_what_hand_counting_gives() -> None:
    result = judge([0, 2, 0, 2, 0, 0, 0, 0, 2, 0], incident=[3, 4, 6])

    assert result.detection is not None
    assert result.detection.precision == pytest.approx(1 / 3)
    assert result.detection.recall == pytest.approx(1 / 3)
    assert [(i.rows, i.flagged) for i in result.detection.incidents] == [(2, 1), (1, 0)]
    assert result.detection.hit == 1
    assert incidents_caught(result.detection.incidents) == ("A 2024-01-01T00:30:00+00:00",)


def test_a_perfect_ranking_scores_one() -> None:
    result = judge([0.1, 0.2, 0.3, 5, 6], incident=[3, 4])

    assert result.detection is not None
    assert (result.detection.roc_auc, result.detection.average_precision) == (1.0, 1.0)


def test_rows_that_are_neither_normal_nor_incident_count_for_nothing() -> None:
    without = judge([0, 0, 0, 2], incident=[3])
    with_doubt = judge([0, 0, 0, 2, 9], incident=[3], doubtful=(4,))

    assert with_doubt.rate is not None
    assert without.rate is not None
    assert with_doubt.rate.rows == without.rate.rows
    assert with_doubt.detection == without.detection


def test_flags_close_together_are_one_alert() -> None:
    scores = [0.0] * 144
    for row in (10, 11, 14, 100):
        scores[row] = 2.0

    result = judge(scores, incident=[])

    assert result.flags_per_day == 4
    assert result.alerts_per_day == 2


def test_without_a_known_incident_only_the_rate_is_judged() -> None:
    result = judge([0, 0, 2, 0], incident=[])

    assert result.detection is None
    assert result.rate is not None
    assert result.rate.flagged == 1


def test_an_evaluation_survives_json() -> None:
    result = judge([0, 2, 0, 2], incident=[3])

    assert from_json(Evaluation, json.loads(json.dumps(to_json(result)))) == result
