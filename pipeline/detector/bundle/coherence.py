"""Consistency of a bundle: values of `detector.json` that agree with each other and the graph.

Golden rows must be able to tell graphs apart: a graph that ignores its input must fail them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.bundle.description import DESCRIPTION_FILE, Description
from pipeline.detector.bundle.lineage import Lineage
from pipeline.detector.bundle.threshold_range import BEYOND
from pipeline.detector.calibration.kept_rows import MOST_GOLDEN, Golden
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.fitted import GRAPH_FILE, Facts
from pipeline.errors import BundleError

_SCALING = {"scaling.mean": "mean", "scaling.scale": "scale"}
"""Names in the graph of the scaler's constants that the exporter does not fold into others."""

MOST_SMOOTHED = 1000
"""The limit of the section `smoothing`; not imported from there, as that would import YAML."""

_FIX = "It was damaged or changed after the fit: fetch the bundle again, or fit again."

_FEWEST = 8
"""Reference rows for each golden row, at most, where their number is not stated: at least half of
the normal rows lie below a threshold, and one on smoothed scores lies elsewhere among raw ones."""


def refuse_incoherent(description: Description) -> None:
    """Refuse a description that cannot be one of a detector.

    Raises:
        BundleError: a value is impossible; the first one found is named.
    """
    schema = description.network.schema
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _of_schema(schema),
        lambda: _of_facts(description.network),
        lambda: _of_threshold(description),
        lambda: _of_calibration(description),
        lambda: _of_postprocessing(description.finish, schema),
        lambda: _of_lineage(description.lineage),
    )
    for check in checks:
        for fault in check():
            msg = f"{DESCRIPTION_FILE}: {fault}. {_FIX}"
            raise BundleError(msg)


def refuse_other_shape(schema: Schema, inputs: int) -> None:
    """Refuse a graph whose `inputs`, numbers a row, are not those of the schema.

    Raises:
        BundleError: it takes another number.
    """
    if schema.inputs != inputs:
        msg = (
            f"{DESCRIPTION_FILE}: the schema gives {schema.inputs:,} numbers a row "
            f"({schema.window:,} rows of {len(schema.features):,} features), {GRAPH_FILE} takes "
            f"{inputs:,}. {_FIX}"
        )
        raise BundleError(msg)


def refuse_other_scaler(facts: Facts, constants: Mapping[str, NDArray[np.float32]]) -> None:
    """Refuse a description whose scaler is not the one in the graph.

    Drift and blame are measured with the description's scaler, scores with the graph's.

    Raises:
        BundleError: they differ; the message names the feature.
    """
    for name, part in _SCALING.items():
        if name not in constants:
            continue
        with np.errstate(over="ignore"):  # what float32 cannot hold is in no graph
            numbers = np.asarray(getattr(facts.scaler, part), dtype=np.float32)
        stated = np.tile(numbers, facts.schema.window)
        held = constants[name]
        if stated.shape != held.shape:
            msg = f"{DESCRIPTION_FILE}: scaler.{part} has {len(stated)} numbers, {GRAPH_FILE} "
            raise BundleError(msg + f"{len(held)}. {_FIX}")
        if other := np.flatnonzero(stated != held).tolist():
            feature = facts.schema.features[other[0] % len(facts.schema.features)]
            msg = (
                f"{DESCRIPTION_FILE}: scaler.{part} of {feature[:80]!r} is {stated[other[0]]:g}, "
                f"in {GRAPH_FILE} it is {held[other[0]]:g}. {_FIX}"
            )
            raise BundleError(msg)


def _of_schema(schema: Schema) -> Iterator[str]:
    names = set(schema.features)
    if not names or len(names) < len(schema.features):
        yield f"schema.features names {len(schema.features)} features, {len(names)} of them once"
    if len(schema.units) != len(schema.features):
        yield f"schema.units has {len(schema.units)} units for {len(schema.features)} features"
    if strangers := set(schema.context) - names:
        yield f"schema.context names {min(strangers)[:80]!r}, which is not a feature"
    if names <= set(schema.context):
        yield "schema.context names every feature, so that none is judged"
    if schema.window < 1:
        yield f"schema.window is {schema.window}; at least 1 row makes an input"
    if schema.cadence_s is not None and not 0 < schema.cadence_s < math.inf:
        yield f"schema.cadence_s is {schema.cadence_s:g}; seconds are above 0 and finite"
    if not 0 <= schema.missing_cells <= 1:
        yield f"schema.missing_cells is {schema.missing_cells:g}; a share lies from 0 to 1"


def _of_facts(facts: Facts) -> Iterator[str]:
    wanted = len(facts.schema.features)
    if "family" not in facts.settings:
        yield "network.settings names no family"
    ends = {"ranges": facts.ranges, "loss_ranges": facts.ends}
    stated = {
        **{f"scaler.{part}": getattr(facts.scaler, part) for part in ("mean", "scale")},
        **{f"scaler.{part}": getattr(facts.scaler, part) for part in ("lowest", "highest")},
        **{f"{name}.lowest": end.lowest for name, end in ends.items()},
        **{f"{name}.highest": end.highest for name, end in ends.items()},
    }
    for name, values in stated.items():
        yield from _numbers(f"network.{name}", values, wanted)
    if min(facts.scaler.scale, default=1.0) <= 0:
        yield f"network.scaler.scale has {min(facts.scaler.scale):g}; every scale is above 0"


def _of_threshold(description: Description) -> Iterator[str]:
    threshold = description.threshold
    if not 0 < threshold.value < math.inf:
        yield f"threshold.value is {threshold.value:g}; a threshold is above 0 and finite"
    if not 0 < threshold.alpha < 1:
        yield f"threshold.alpha is {threshold.alpha:g}; a share lies between 0 and 1"
    n, n_effective = threshold.n, threshold.n_effective
    if n < 1 or not 0 <= n_effective < math.inf:
        yield f"threshold.n is {n:,} and n_effective {n_effective:g}; at least 1 and 0 are needed"


def _of_calibration(description: Description) -> Iterator[str]:
    summary = description.calibration
    if summary.rows < 1:
        yield f"calibration.rows is {summary.rows:,}; at least 1 was scored"
    yield from _numbers(
        "calibration.feature_error",
        summary.feature_error,
        len(description.network.schema.features),
    )
    if "0.5" not in summary.quantiles:
        yield "calibration.quantiles has no median (0.5)"
    yield from _numbers("calibration.quantiles", summary.quantiles.values(), len(summary.quantiles))
    if min(summary.quantiles.values(), default=0.0) < 0:
        yield f"calibration.quantiles has {min(summary.quantiles.values()):g}; no score is below 0"


def _of_postprocessing(postprocessing: ScorePostprocessing, schema: Schema) -> Iterator[str]:
    rows, contexts = postprocessing.rows, postprocessing.contexts
    if not 1 <= rows <= MOST_SMOOTHED:
        yield f"finish.rows is {rows:,}; from 1 to {MOST_SMOOTHED:,} rows are averaged"
    if contexts is None:
        return
    for name, factor in contexts.factors.items():
        if not 0 < factor < math.inf:
            yield f"finish.contexts has a factor of {factor:g} ({name[:80]!r}); it is above 0"
    if contexts.by == "column" and contexts.column not in range(len(schema.features)):
        yield (
            f"finish.contexts.column is {contexts.column}; there are features 0 to "
            f"{len(schema.features) - 1}"
        )


def _of_lineage(lineage: Lineage | None) -> Iterator[str]:
    if lineage is None:
        return
    if not 0 < lineage.anchor_threshold < math.inf:
        yield f"lineage.anchor_threshold is {lineage.anchor_threshold:g}; a threshold is above 0"
    if not 0 <= lineage.anchor_level < math.inf:
        yield f"lineage.anchor_level is {lineage.anchor_level:g}; no score is below 0"


def _numbers(name: str, values: Iterable[float], wanted: int) -> Iterator[str]:
    """Faults of numbers that must be finite and `wanted` in number."""
    listed = list(values)
    if len(listed) != wanted:
        yield f"{name} has {len(listed):,} numbers, not {wanted:,}"
    for value in listed:
        if not math.isfinite(value):
            yield f"{name} has {value}, which is not a finite number"


def refuse_blind(golden: Golden, description: Description, trained: int) -> None:
    """Refuse golden rows that a graph can satisfy although it ignores its input.

    `trained` is the number of rows in the reference of the training.

    Raises:
        BundleError: there are fewer than were sampled, or a blind graph satisfies them.
    """
    for fault in _faults(golden, description, trained):
        msg = (
            f"golden.parquet {fault}. It was damaged or changed after the fit: fetch the bundle "
            "again, or fit again."
        )
        raise BundleError(msg)


def _faults(golden: Golden, description: Description, trained: int) -> Iterator[str]:
    threshold = description.threshold
    count, stated = len(golden.score), description.golden_rows
    if stated is not None and count != stated:
        yield f"holds {count:,} rows; detector.json says {stated:,}"
    # A threshold estimated from labels may lie below most normal rows.
    fewest = 1 if threshold.method == "cost_weighted" else min(MOST_GOLDEN, trained // _FEWEST)
    if count < fewest:
        yield f"holds {count:,} rows; of {trained:,} reference rows at least {fewest:,} were kept"
    if bad := int((~np.isfinite(golden.score)).sum()):
        yield f"has {bad:,} of {count:,} scores that are not finite numbers"
    least, greatest = float(golden.score.min()), float(golden.score.max())
    varied = bool((golden.rows != golden.rows[0]).any())
    if greatest <= 0 or (least == greatest and varied):
        yield f"gives all of its {count:,} rows the score {greatest:g}, as a blind graph does"
    if greatest * BEYOND < threshold.value:
        yield (
            f"has {greatest:g} as its greatest score and the threshold is {threshold.value:g}, "
            f"over {BEYOND:,.0f} times as high, but golden rows reach up to it"
        )
