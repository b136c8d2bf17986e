"""Labelled rows of a calibration block, for the one threshold method that needs labels.

The split leaves known incidents in the calibration block for that method alone
(`pipeline.data.split`). They count for the threshold only: reference, golden rows and usual errors
come from normal rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.split import incident_rows, labelled_incident
from pipeline.data.timeline import Mask, episodes, subset
from pipeline.detector.calibration.postprocessing import ScorePostprocessing, postprocess
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Scorer
from pipeline.detector.inputs.windows import windows
from pipeline.detector.thresholds.cost_weighted import LabelledScores


def known_incidents(frame: pd.DataFrame, schema: Schema) -> Mask:
    """Rows of incidents that are known from labels or from the source's own column."""
    if schema.source_columns is None:
        return labelled_incident(frame)
    return incident_rows(frame, Columns.model_validate(schema.source_columns))


def labelled_scores(
    frame: pd.DataFrame,
    incident: Mask,
    schema: Schema,
    scorer: Scorer,
    postprocessing: ScorePostprocessing,
    normal: NDArray[np.float64],
) -> LabelledScores:
    """Postprocessed scores of the `incident` rows of `frame` and of the normal ones.

    An incident is an unbroken run of such rows; where rows have no time, each row is an incident.
    """
    if not incident.any():
        return LabelledScores(normal, np.zeros(0), np.zeros(0, dtype=np.intp))
    timeline = timeline_of(frame, schema)
    cut = windows(feature_values(frame, schema), schema.window, timeline)
    scored = scorer(cut.rows)
    timeline = None if timeline is None else subset(timeline, cut.end)
    newest = cut.rows[:, -len(schema.features) :]
    score = postprocess(scored.score, scored.error, newest, timeline, postprocessing).score
    faulty = incident[cut.end]
    number = np.arange(len(score), dtype=np.intp)
    if timeline is not None:
        for place, episode in enumerate(episodes(faulty, timeline)):
            number[episode.rows] = place
    return LabelledScores(normal, score[faulty], number[faulty])
