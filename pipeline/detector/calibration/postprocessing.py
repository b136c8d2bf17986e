"""Postprocessing of the graph's scores, before the threshold: smoothing, then context factors.

The graph scores each row by itself; the postprocessing needs the timeline of the rows. Code that
calibrates, serves or evaluates a bundle calls `postprocess`, and code that has rows does so through
`pipeline.scoring`. Raw scores are only for golden rows and for attribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.calibration.contexts import ContextFactors, factor_of
from pipeline.detector.inputs.scored import Rows
from pipeline.errors import DataError

if TYPE_CHECKING:  # pandas, which scoring single rows does not need
    from pipeline.data.timeline import Indices, Mask, Timeline


class Runs(NamedTuple):
    """The order of rows within unbroken runs, as `pipeline.data.timeline.runs` gives it.

    Attributes:
        order: row indices, run by run, in order of time; shape (n,).
        run: number of the unbroken run of each of them, ascending; shape (n,).
    """

    order: Indices
    run: Indices


def smooth(values: NDArray[np.floating], runs: Runs, rows: int) -> NDArray[np.float64]:
    """The mean of the last `rows` values of each row's run, its own included.

    `values` has shape (n,) or (n, d). The first rows of a run average fewer values. Each mean is
    summed newest row first, so that it does not depend on other rows, to the last bit.
    """
    ordered = values[runs.order].astype(np.float64)
    total, count = ordered.copy(), np.ones(len(ordered))
    for back in range(1, rows):
        same = runs.run[back:] == runs.run[:-back]
        if not same.any():
            break
        held = same.reshape(-1, *[1] * (values.ndim - 1))
        total[back:] += np.where(held, ordered[:-back], 0.0)
        count[back:] += same
    smoothed = np.empty_like(total)
    smoothed[runs.order] = total / count.reshape(-1, *[1] * (values.ndim - 1))
    return smoothed


def leading_up(wanted: Mask, runs: Runs, rows: int) -> Mask:
    """Mask of the rows whose values enter the means of the `wanted` rows."""
    ordered = wanted[runs.order]
    needed = ordered.copy()
    for back in range(1, rows):
        same = runs.run[back:] == runs.run[:-back]
        needed[:-back] |= ordered[back:] & same
    found = np.empty_like(needed)
    found[runs.order] = needed
    return found


@dataclass(frozen=True)
class ScorePostprocessing:
    """The postprocessing of scores after the graph; part of the calibration, stored in the bundle.

    Attributes:
        rows: number of rows whose scores are averaged; 1: no smoothing.
        contexts: factors that scores are divided by; None: no contexts.
    """

    rows: int = 1
    contexts: ContextFactors | None = None

    @property
    def by(self) -> str:
        """Kind of context: a value of `contexts.by`."""
        return "none" if self.contexts is None else self.contexts.by

    @property
    def needs_timeline(self) -> bool:
        """True where the time and the entity of rows are needed."""
        return self.rows > 1 or (self.contexts is not None and self.contexts.by != "column")


UNCHANGED = ScorePostprocessing()
"""No postprocessing: scores as the graph gives them."""


@dataclass(frozen=True)
class PostprocessedScores:
    """Scores of n rows, ready to be compared with the threshold.

    Attributes:
        score: shape (n,), float64.
        error: shape (n, d), float32; contribution of each feature to the score.
        known: shape (n,); false where the row's context was not calibrated.
    """

    score: NDArray[np.float64]
    error: NDArray[np.float32]
    known: Mask


def postprocess(
    score: NDArray[np.floating],
    error: NDArray[np.float32],
    rows: Rows,
    timeline: Timeline | None,
    postprocessing: ScorePostprocessing,
    *,
    runs: Runs | None = None,
) -> PostprocessedScores:
    """Scores smoothed within unbroken runs, then divided by the factors of their contexts.

    Args:
        score: of the graph, shape (n,).
        error: of the graph, shape (n, d).
        rows: the features of the row that each score belongs to, shape (n, d).
        timeline: time and entity of the rows; may be None if `postprocessing` does not need it.
        postprocessing: the one that the bundle was calibrated with.
        runs: order of the rows, where `timeline` does not give it (episodes with a fault).

    Raises:
        DataError: the rows have no time, and `postprocessing` needs it.
    """
    if postprocessing == UNCHANGED:
        return PostprocessedScores(score.astype(np.float64), error, np.ones(len(score), dtype=bool))
    stacked = np.column_stack([score, error])
    both, known = _postprocessed(stacked, rows, timeline, postprocessing, runs)
    return PostprocessedScores(both[:, 0], both[:, 1:].astype(np.float32), known)


def postprocess_parts(
    parts: NDArray[np.float64],
    rows: Rows,
    timeline: Timeline | None,
    postprocessing: ScorePostprocessing,
) -> NDArray[np.float64]:
    """Like `postprocess`, for any parts of scores, shape (n, parts)."""
    if postprocessing == UNCHANGED:
        return parts
    return _postprocessed(parts, rows, timeline, postprocessing, None)[0]


def runs_of(timeline: Timeline | None) -> Runs:
    """The order of rows within unbroken runs.

    Raises:
        DataError: the rows have no time.
    """
    if timeline is None:
        msg = (
            "smoothing.rows needs the order of the rows, and these rows have no time "
            "column. Name one under schema.timestamp, or set smoothing.rows to 1."
        )
        raise DataError(msg)
    from pipeline.data.timeline import runs  # noqa: PLC0415 - pandas, which single rows do not need

    return Runs(*runs(timeline))


def _postprocessed(
    parts: NDArray[np.float64],
    rows: Rows,
    timeline: Timeline | None,
    postprocessing: ScorePostprocessing,
    runs: Runs | None,
) -> tuple[NDArray[np.float64], Mask]:
    known = np.ones(len(parts), dtype=bool)
    if postprocessing.rows > 1:
        parts = smooth(parts, runs_of(timeline) if runs is None else runs, postprocessing.rows)
    if postprocessing.contexts is not None:
        factor, known = factor_of(postprocessing.contexts, rows, timeline)
        parts = parts / factor[:, None]
    return parts, known
