"""A check that golden rows can tell graphs apart: a graph that ignores its input must fail them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.detector.bundle.description import Description
from pipeline.detector.bundle.threshold_range import BEYOND
from pipeline.detector.calibration.golden import MOST_ROWS, Golden
from pipeline.errors import BundleError

_FEWEST = 8
"""Reference rows for each golden row, at most, where their number is not stated: at least half of
the normal rows lie below a threshold, and one on smoothed scores lies elsewhere among raw ones."""


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
    fewest = 1 if threshold.method == "cost_weighted" else min(MOST_ROWS, trained // _FEWEST)
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
