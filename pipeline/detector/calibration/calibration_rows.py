"""The scored rows of a calibration block, and which of them lie in sustained episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.calibration import Contexts, Smoothing
from pipeline.data.split import labelled_normal
from pipeline.data.sustained import sustained_rows
from pipeline.data.timeline import Mask, Timeline, subset
from pipeline.detector.calibration.contexts import groups_by, medians
from pipeline.detector.calibration.postprocessing import (
    PostprocessedScores,
    ScorePostprocessing,
    postprocess,
)
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows, Scorer
from pipeline.detector.inputs.windows import windows
from pipeline.errors import CalibrationError


@dataclass(frozen=True)
class CalibrationRows:
    """Scored windows, in the order of their last rows.

    Attributes:
        rows: the windows.
        newest: the features of the last row of each.
        raw: the graph's scores.
        smoothed: scores and contributions, smoothed as they are when they are served.
        timeline: of the last rows; None without time.
        called_normal: windows whose last row a person has called normal, shape (n,).
    """

    rows: Rows
    newest: Rows
    raw: NDArray[np.float32]
    smoothed: PostprocessedScores
    timeline: Timeline | None
    called_normal: Mask

    def only(self, kept: Mask) -> CalibrationRows:
        """The kept rows; smoothed with those that are not kept, as they were when served."""
        smoothed = self.smoothed
        return CalibrationRows(
            self.rows[kept],
            self.newest[kept],
            self.raw[kept],
            PostprocessedScores(smoothed.score[kept], smoothed.error[kept], smoothed.known[kept]),
            None if self.timeline is None else subset(self.timeline, kept),
            self.called_normal[kept],
        )


def calibration_rows(
    frame: pd.DataFrame, schema: Schema, scorer: Scorer, smoothing: Smoothing
) -> CalibrationRows:
    """The windows of `frame`, scored.

    Raises:
        CalibrationError: a score that is not a finite number.
        DataError: a feature is absent or not finite.
    """
    timeline = timeline_of(frame, schema)
    cut = windows(feature_values(frame, schema), schema.window, timeline)
    timeline = None if timeline is None else subset(timeline, cut.end)
    scored = scorer(cut.rows)
    refuse_not_finite_scores(scored.score)
    newest = cut.rows[:, -len(schema.features) :]
    smoothed = postprocess(
        scored.score, scored.error, newest, timeline, ScorePostprocessing(smoothing.rows)
    )
    called_normal = labelled_normal(frame)[cut.end]
    return CalibrationRows(cut.rows, newest, scored.score, smoothed, timeline, called_normal)


def in_context(usual: CalibrationRows, postprocessing: ScorePostprocessing) -> PostprocessedScores:
    """The smoothed scores, divided by the factors of their contexts."""
    smoothed = usual.smoothed
    return postprocess(
        smoothed.score,
        smoothed.error,
        usual.newest,
        usual.timeline,
        ScorePostprocessing(contexts=postprocessing.contexts),
    )


def held_back(
    every: CalibrationRows, contexts: Contexts, schema: Schema, alpha: float
) -> Mask | None:
    """Mask of the rows of sustained episodes; None for rows without time.

    What a person has called normal is held back by no guess.

    With contexts, scores are compared in units of the median of their group: a noisy machine is no
    episode. Its own threshold would not do, as its faults would raise that.
    """
    if every.timeline is None:
        return None
    score = every.smoothed.score
    if contexts.by != "none":
        groups = groups_by(contexts, every.newest, every.timeline, schema.features)
        score = score / medians(score, groups)[groups.code]
    return sustained_rows(score, every.timeline, alpha=alpha) & ~every.called_normal


def refuse_not_finite_scores(scores: NDArray[np.floating]) -> None:
    """Refuse scores that are not finite.

    Raises:
        CalibrationError: a score is not a finite number.
    """
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        msg = (
            f"{bad:,} of {len(scores):,} calibration scores are not finite numbers. "
            "Fit again with a lower model.learning_rate: the network has diverged."
        )
        raise CalibrationError(msg)
