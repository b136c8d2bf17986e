"""From the graph's scores to those that a line is held against: smoothed, then put on one level.

The graph judges a row by itself; what is done here needs to know which row follows which. All that
calibrates, serves or tries out a bundle goes through `finish`, and all that has rows does so by
way of `pipeline.scoring`. Raw scores are for golden rows, and for questions to the network about
one row (attribution).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.contexts import ContextFactors, factor_of
from pipeline.detector.scored import Rows
from pipeline.detector.smoothing import Runs, smooth
from pipeline.errors import DataError

if TYPE_CHECKING:
    from pipeline.data.timeline import Mask, Timeline


@dataclass(frozen=True)
class ScorePostprocessing:
    """What is done to scores after the graph; part of the calibration, stored in the bundle.

    Attributes:
        rows: rows whose scores are averaged; 1: none.
        contexts: what scores are divided by; None: nothing.
    """

    rows: int = 1
    contexts: ContextFactors | None = None

    @property
    def by(self) -> str:
        """What a context is: a key of `contexts.by`."""
        return "none" if self.contexts is None else self.contexts.by

    @property
    def needs_line(self) -> bool:
        """Whether it must be known when and where rows were measured."""
        return self.rows > 1 or (self.contexts is not None and self.contexts.by != "column")


UNCHANGED = ScorePostprocessing()
"""Scores as the graph gives them."""


@dataclass(frozen=True)
class PostprocessedScores:
    """Scores of n rows, ready to be compared with the line.

    Attributes:
        score: shape (n,), float64.
        error: shape (n, d), float32; what each feature adds to the score.
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
    how: ScorePostprocessing,
    *,
    runs: Runs | None = None,
) -> PostprocessedScores:
    """Smoothed within unbroken runs, then divided by the factors of their contexts.

    Args:
        score: of the graph, shape (n,).
        error: of the graph, shape (n, d).
        rows: the features of the row that each score speaks for, shape (n, d).
        timeline: when and where; None only if `how` does not ask.
        how: what the bundle was calibrated with.
        runs: which row follows which, where `line` does not tell (episodes with a fault).

    Raises:
        DataError: the rows have no time, and `how` needs it.
    """
    if how == UNCHANGED:
        return PostprocessedScores(score.astype(np.float64), error, np.ones(len(score), dtype=bool))
    both, known = _finished(np.column_stack([score, error]), rows, timeline, how, runs)
    return PostprocessedScores(both[:, 0], both[:, 1:].astype(np.float32), known)


def postprocess_parts(
    parts: NDArray[np.float64], rows: Rows, timeline: Timeline | None, how: ScorePostprocessing
) -> NDArray[np.float64]:
    """As `finish`, for any parts of scores, shape (n, parts)."""
    return parts if how == UNCHANGED else _finished(parts, rows, timeline, how, None)[0]


def runs_of(timeline: Timeline | None) -> Runs:
    """Which row follows which.

    Raises:
        DataError: the rows have no time.
    """
    if timeline is None:
        msg = (
            "smoothing.rows needs to know which row follows which, and these rows have no time "
            "column. Name one under schema.timestamp, or set smoothing.rows to 1."
        )
        raise DataError(msg)
    from pipeline.data.timeline import runs  # it needs pandas, which scoring single rows does not

    return Runs(*runs(timeline))


def _finished(
    parts: NDArray[np.float64],
    rows: Rows,
    timeline: Timeline | None,
    how: ScorePostprocessing,
    runs: Runs | None,
) -> tuple[NDArray[np.float64], Mask]:
    known = np.ones(len(parts), dtype=bool)
    if how.rows > 1:
        parts = smooth(parts, runs_of(timeline) if runs is None else runs, how.rows)
    if how.contexts is not None:
        factor, known = factor_of(how.contexts, rows, timeline)
        parts = parts / factor[:, None]
    return parts, known
