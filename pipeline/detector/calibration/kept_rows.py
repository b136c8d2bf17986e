"""The rows that a bundle keeps: a reference that drift is measured against, and golden rows.

Golden rows are normal rows with the scores that they must get wherever a bundle is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.detector.inputs.arrow import from_numpy, to_numpy
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows, Scorer
from pipeline.errors import BundleError

if TYPE_CHECKING:  # pandas, which scoring single rows does not need
    from pipeline.data.timeline import Timeline

MOST_REFERENCE = 5000
_STRETCH = 100  # consecutive rows, so that their autocorrelation can still be measured
_REFERENCE_SCORE = "score"

MOST_GOLDEN = 256
TOLERANCE = 1e-5
"""Relative to the spread of the golden scores: processors may differ by this much, and it changes
no flag. Not relative to the threshold, which is a number that anybody can write."""

_ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""Relative to the largest score: the rounding of float32, for scores that hardly differ."""

_GOLDEN_SCORE = "golden score"


@dataclass(frozen=True)
class Reference:
    """At most 5,000 calibration rows, in order of entity and time.

    Attributes:
        features: shape (n, d): the last row of each window.
        score: shape (n,).
        timeline: time and entity of each row; None without time.
    """

    features: Rows
    score: NDArray[np.float32]
    timeline: Timeline | None


def sample_reference(
    features: Rows, score: NDArray[np.float32], timeline: Timeline | None
) -> Reference:
    """All rows, or of more than 5,000 an evenly spread sample of stretches of 100 rows."""
    if timeline is None:
        kept = _spread(len(score), MOST_REFERENCE)
        return Reference(features[kept], score[kept], None)
    from pipeline.data.timeline import runs, subset  # noqa: PLC0415 - pandas, which single rows do not need

    order, _ = runs(timeline)
    if len(order) > MOST_REFERENCE:
        stretches = _spread(len(order) // _STRETCH, MOST_REFERENCE // _STRETCH)
        order = order[(stretches[:, None] * _STRETCH + np.arange(_STRETCH)).ravel()]
    return Reference(features[order], score[order], subset(timeline, order))


def reference_table(reference: Reference, schema: Schema) -> pa.Table:
    """The sample as columns: time, entity, features, score."""
    columns: dict[str, pa.Array] = {}
    if reference.timeline is not None and schema.timestamp is not None:
        time = from_numpy(reference.timeline.time_ns)
        columns[schema.timestamp] = time.cast(pa.timestamp("ns", tz="UTC"))
        if schema.entity is not None:
            names = np.array(reference.timeline.names)[reference.timeline.entity]
            columns[schema.entity] = pa.array(names.tolist(), type=pa.string())
    for position, name in enumerate(schema.features):
        columns[name] = from_numpy(reference.features[:, position])
    columns[_score_name(schema)] = from_numpy(reference.score)
    return pa.table(columns)


def reference_columns(schema: Schema) -> dict[str, pa.DataType]:
    """Names and types of the columns of `reference_table`."""
    columns: dict[str, pa.DataType] = {}
    if schema.timestamp is not None and schema.cadence_s is not None:
        columns[schema.timestamp] = pa.timestamp("ns", tz="UTC")
        if schema.entity is not None:
            columns[schema.entity] = pa.string()
    columns |= dict.fromkeys(schema.features, pa.float32())
    return columns | {_score_name(schema): pa.float32()}


def reference_scores(table: pa.Table, schema: Schema) -> NDArray[np.float32]:
    """The scores alone; reading times and entities too would import pandas.

    Raises:
        BundleError: one is not a finite number, or below 0.
    """
    scores: NDArray[np.float32] = to_numpy(table[_score_name(schema)])
    if bad := int((~np.isfinite(scores) | (scores < 0)).sum()):
        msg = (
            f"reference.parquet: {bad:,} of {len(scores):,} scores are below 0 or not finite "
            "numbers. Fetch the bundle again, or fit again."
        )
        raise BundleError(msg)
    return scores


def reference_of(table: pa.Table, schema: Schema) -> Reference:
    """The reference rows in a table of `reference_table`."""
    features = np.column_stack([to_numpy(table[name]) for name in schema.features])
    score = to_numpy(table[_score_name(schema)])
    if schema.timestamp is None or schema.cadence_s is None:
        return Reference(features, score, None)
    from pipeline.data.timeline import Timeline  # noqa: PLC0415 - pandas, which single rows do not need

    names, entity = np.array([""]), np.zeros(len(score), dtype=np.intp)
    if schema.entity is not None:
        names, entity = np.unique(
            np.array(table[schema.entity].to_pylist(), dtype=str), return_inverse=True
        )
    timeline = Timeline(
        time_ns=to_numpy(table[schema.timestamp].cast(pa.int64())),
        entity=entity.astype(np.intp),
        names=tuple(str(name) for name in names),
        cadence_ns=round(schema.cadence_s * 1e9),
    )
    return Reference(features, score, timeline)


def _score_name(schema: Schema) -> str:
    """`score`, with underscores added where a feature has that name."""
    name = _REFERENCE_SCORE
    while name in schema.features:
        name += "_"
    return name


def _spread(n: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the numbers below n, evenly spread, in order."""
    if n <= most:
        return np.arange(n, dtype=np.intp)
    return np.linspace(0, n - 1, most).round().astype(np.intp)


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
    kept = ordered[np.linspace(0, len(ordered) - 1, min(MOST_GOLDEN, len(ordered))).astype(np.intp)]
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
    return dict.fromkeys([*names, _GOLDEN_SCORE], pa.float32())


def golden_table(golden: Golden, schema: Schema) -> pa.Table:
    """The golden rows as columns."""
    inputs = [from_numpy(golden.rows[:, position]) for position in range(schema.inputs)]
    return pa.table([*inputs, from_numpy(golden.score)], names=list(golden_columns(schema)))


def golden_of(table: pa.Table) -> Golden:
    """The golden rows in a table of `golden_table`."""
    columns = [to_numpy(column) for column in table.columns]
    return Golden(np.column_stack(columns[:-1]), columns[-1])
