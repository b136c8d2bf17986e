"""Golden rows: normal rows with the scores that they must get wherever a bundle is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.detector.inputs.arrow import from_numpy, to_numpy
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows, Scorer
from pipeline.errors import BundleError

MOST_ROWS = 256
TOLERANCE = 1e-5
"""Relative to the spread of the golden scores: processors may differ by this much, and it changes
no flag. Not relative to the threshold, which is a number that anybody can write."""

_ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""Relative to the largest score: the rounding of float32, for scores that hardly differ."""

_SCORE = "golden score"


@dataclass(frozen=True)
class Golden:
    """Windows of shape (n, window * d) and their scores, (n,); at most 256."""

    rows: Rows
    score: NDArray[np.float32]


def sample_golden(
    rows: Rows, score: NDArray[np.float32], threshold: float, scorer: Scorer
) -> Golden:
    """Rows from the lowest score up to the threshold, evenly by rank, scored once more.

    None lies above it: rounding grows with the score, the tolerance does not. They are scored by
    themselves, as at loading: a processor may round a batch of another size differently.
    """
    ordered = np.argsort(score, kind="stable")
    ordered = ordered[: max(1, int((score <= threshold).sum()))]
    kept = ordered[np.linspace(0, len(ordered) - 1, min(MOST_ROWS, len(ordered))).astype(np.intp)]
    return Golden(rows[kept], scorer(rows[kept]).score)


def refuse_other_scores(golden: Golden, given: NDArray[np.floating]) -> None:
    """Refuse `given`, a graph's scores of the golden rows, where they differ from those stored.

    Raises:
        BundleError: another number of scores, or the largest difference exceeds 1e-5 of their
            spread.
    """
    if given.shape != golden.score.shape:
        msg = (
            f"golden.parquet: the graph gives scores of shape {given.shape}, not "
            f"{golden.score.shape}. It does not score rows: fit again."
        )
        raise BundleError(msg)
    worst = float(np.max(np.abs(given - golden.score), initial=0.0))
    limit = TOLERANCE * float(np.ptp(golden.score)) + _ROUNDING * float(golden.score.max())
    if not worst <= limit:  # NaN is refused too
        msg = (
            f"golden.parquet: scores differ by up to {worst:.3g} from those stored; at most "
            f"{limit:.3g} (1e-5 of their spread) is allowed. This machine or its onnxruntime "
            "computes other scores than the calibration did: do not serve it; fit again here."
        )
        raise BundleError(msg)


def golden_columns(schema: Schema) -> dict[str, pa.DataType]:
    """Names and types of the columns of `golden_table`.

    One column for each model input, named `feature` or `feature[-k]` k rows back; the score.
    """
    names = [
        name if not back else f"{name}[-{back}]"
        for back in reversed(range(schema.window))
        for name in schema.features
    ]
    return dict.fromkeys([*names, _SCORE], pa.float32())


def golden_table(golden: Golden, schema: Schema) -> pa.Table:
    """The golden rows as columns."""
    inputs = [from_numpy(golden.rows[:, position]) for position in range(schema.inputs)]
    return pa.table([*inputs, from_numpy(golden.score)], names=list(golden_columns(schema)))


def golden_of(table: pa.Table) -> Golden:
    """The golden rows in a table of `golden_table`."""
    columns = [to_numpy(column) for column in table.columns]
    return Golden(np.column_stack(columns[:-1]), columns[-1])
