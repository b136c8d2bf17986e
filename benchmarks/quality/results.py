"""The results of a run, measured the same way for all contenders."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.detector.thresholds.coverage import conformal_rank, least_rows

ALPHA = 0.01


@dataclass(frozen=True)
class Result:
    """One contender on one data set with one seed. Fractions throughout.

    Attributes:
        data: the set or the machine.
        contender: its name.
        seed: of split and fit.
        roc_auc: anomalous rows against normal ones.
        average_precision: likewise.
        calibration_rows: normal rows for the conformal threshold.
        realised: share of normal test rows above it; None with fewer than 99 of them.
        incidents: spans of anomalous rows; 0 where rows have no time.
        hit: of which at least one row was flagged.
        fit_s: processor seconds to fit.
        score_s: processor seconds to score the test rows.
        test_rows: how many there were.
    """

    data: str
    contender: str
    seed: int
    roc_auc: float
    average_precision: float
    calibration_rows: int
    realised: float | None
    incidents: int
    hit: int
    fit_s: float
    score_s: float
    test_rows: int


def measured(
    scores: NDArray[np.float64],
    anomalous: NDArray[np.bool_],
    calibration: NDArray[np.float64],
    *,
    timed: bool = False,
) -> dict[str, Any]:
    """The fields of a result that follow from the scores; rows in order of time if `timed`."""
    limit = threshold(calibration)
    spans = episodes(anomalous) if timed else []
    flagged = scores > limit if limit is not None else np.zeros(len(scores), dtype=bool)
    return {
        "roc_auc": float(roc_auc_score(anomalous, scores)),
        "average_precision": float(average_precision_score(anomalous, scores)),
        "calibration_rows": len(calibration),
        "realised": None if limit is None else float(flagged[~anomalous].mean()),
        "incidents": len(spans),
        "hit": sum(bool(flagged[first:last].any()) for first, last in spans),
        "test_rows": len(scores),
    }


def threshold(calibration: NDArray[np.float64]) -> float | None:
    """The conformal threshold at 1 %; None with too few rows."""
    n = len(calibration)
    if n < least_rows(ALPHA):
        return None
    return float(np.sort(calibration)[conformal_rank(n, ALPHA) - 1])


def episodes(anomalous: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row and end of each unbroken run of anomalous rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], anomalous.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def mean(results: Iterable[Result], field: str) -> float:
    """Mean of a field, in percent; NaN where no result has it."""
    values = [v for r in results if (v := getattr(r, field)) is not None]
    return 100 * float(np.mean(values)) if values else math.nan
