"""The reference rows of a bundle: a sample of normal rows that drift is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.detector.inputs.arrow import from_numpy, to_numpy
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.errors import BundleError

if TYPE_CHECKING:  # pandas, which scoring single rows does not need
    from pipeline.data.timeline import Timeline

MOST_ROWS = 5000
_STRETCH = 100  # consecutive rows, so that their autocorrelation can still be measured
_SCORE = "score"


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
        kept = _spread(len(score), MOST_ROWS)
        return Reference(features[kept], score[kept], None)
    from pipeline.data.timeline import runs, subset  # noqa: PLC0415 - pandas, which single rows do not need

    order, _ = runs(timeline)
    if len(order) > MOST_ROWS:
        stretches = _spread(len(order) // _STRETCH, MOST_ROWS // _STRETCH)
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
    name = _SCORE
    while name in schema.features:
        name += "_"
    return name


def _spread(n: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the numbers below n, evenly spread, in order."""
    if n <= most:
        return np.arange(n, dtype=np.intp)
    return np.linspace(0, n - 1, most).round().astype(np.intp)
