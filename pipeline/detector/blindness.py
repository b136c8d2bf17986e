"""Whether golden rows can tell one graph from another: a graph that sees nothing must not do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.detector.description import Description
from pipeline.detector.golden import MOST_ROWS, Golden
from pipeline.detector.threshold_range import BEYOND
from pipeline.errors import BundleError

_FEWEST = 8
"""A golden row stands for at most so many reference rows where their number is not stated: half of
the normal rows at least lie below a line, and one on smoothed scores lies elsewhere among raw ones.
"""


def refuse_blind(golden: Golden, description: Description, trained: int) -> None:
    """Let golden rows pass that a graph can only satisfy when it sees what was trained.

    `trained` is how many rows the reference of the training has.

    Raises:
        BundleError: they are fewer than were drawn, or a graph that sees nothing satisfies them.
    """
    for fault in _faults(golden, description, trained):
        msg = (
            f"golden.parquet {fault}. It was damaged or changed after the fit: fetch the bundle "
            "again, or fit again."
        )
        raise BundleError(msg)


def _faults(golden: Golden, description: Description, trained: int) -> Iterator[str]:
    count, stated, line = len(golden.score), description.golden_rows, description.threshold
    if stated is not None and count != stated:
        yield f"holds {count:,} rows; detector.json says {stated:,}"
    # A line that was drawn with labels may lie below most normal rows.
    fewest = 1 if line.method == "cost_weighted" else min(MOST_ROWS, trained // _FEWEST)
    if count < fewest:
        yield f"holds {count:,} rows; of {trained:,} reference rows at least {fewest:,} were kept"
    if bad := int((~np.isfinite(golden.score)).sum()):
        yield f"has {bad:,} of {count:,} scores that are no finite numbers"
    least, greatest = float(golden.score.min()), float(golden.score.max())
    varied = bool((golden.rows != golden.rows[0]).any())
    if greatest <= 0 or (least == greatest and varied):
        yield f"gives all of its {count:,} rows the score {greatest:g}, as a blind graph does"
    if greatest * BEYOND < line.value:
        yield (
            f"has {greatest:g} as its greatest score and the threshold is {line.value:g}, over "
            f"{BEYOND:,.0f} times as high, though golden rows reach up to it"
        )
