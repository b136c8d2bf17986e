"""The rows of cases that a person has called normal: in training they count as labelled normal.

Without it they would be held back from calibration as sustained episodes, although somebody has
looked at them and said that this is normal from now on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.cases import CaseSpan, accepted_spans
from pipeline.config import Columns, DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.label import NO_VERDICT, NORMAL
from pipeline.data.timeline import rows_within, timeline_from
from pipeline.settings import Deployment
from pipeline.steps.cases_on_record import answers_known
from pipeline.store.cases import case_records
from pipeline.store.training_window import TrainingWindow
from pipeline.utc_day import ONE_DAY, midnight


def with_accepted_rows(
    here: Deployment, spec: DetectorSpec, read: TrainingWindow
) -> TrainingWindow:
    """The window, in which the rows of cases that were called normal by its day are labelled so.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
    """
    manifest, moment = read.manifest, midnight(read.manifest.as_of)
    records = case_records(here, spec.name, manifest.first_day, manifest.as_of - ONE_DAY)
    if not records:
        return read
    spans = accepted_spans(records, answers_known(here, spec.name, moment), moment)
    return replace(read, frame=called_normal(read.frame, spec.columns, spans)) if spans else read


def called_normal(
    frame: pd.DataFrame, columns: Columns, spans: tuple[CaseSpan, ...]
) -> pd.DataFrame:
    """`frame` with the verdict `normal` on the rows of `spans`; a label of their own stays."""
    verdict = np.full(len(frame), NO_VERDICT, dtype=np.int8)
    if LABEL_COLUMN in frame:
        verdict = frame[LABEL_COLUMN].to_numpy(dtype=np.int8, copy=True)
    for rows in rows_within(timeline_from(frame, columns), spans):
        verdict[rows[verdict[rows] == NO_VERDICT]] = NORMAL
    return frame.assign(**{LABEL_COLUMN: verdict})
