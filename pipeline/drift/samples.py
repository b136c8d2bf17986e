"""Rows to compare: those that a bundle carries, and those of other days."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config import Columns
from pipeline.data.split import normal_rows
from pipeline.data.timeline import subset, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values
from pipeline.drift.comparison import Sample
from pipeline.errors import BundleError
from pipeline.scoring import score_rows


def sample_of(bundle: Bundle, frame: pd.DataFrame, columns: Columns) -> Sample:
    """Features and scores of the normal rows in `frame`, to compare with a bundle's reference."""
    scored = score_rows(bundle, frame)
    kept = np.flatnonzero(scored.complete & normal_rows(frame, columns))
    return Sample(
        timeline=subset(timeline_from(frame, columns), kept),
        features=feature_values(frame, bundle.schema)[kept],
        score=scored.score[kept].astype(np.float32),
    )


def reference_sample(bundle: Bundle) -> Sample:
    """The bundle's own reference as a sample.

    Raises:
        BundleError: it was fitted on rows without time.
    """
    reference = bundle.reference()
    if reference.timeline is None:
        msg = (
            f"{bundle.folder}: its reference rows have no time, so correlated neighbours cannot "
            "be thinned; fit it with a detector file that names schema.timestamp."
        )
        raise BundleError(msg)
    return Sample(reference.timeline, reference.features, reference.score)
