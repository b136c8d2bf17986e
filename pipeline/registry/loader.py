"""Loading of a bundle by MLflow: through our own code, from data files only.

MLflow imports this module by the name in the model's MLmodel file and calls `_load_pyfunc` with
the bundle directory. Nothing is unpickled and no code comes out of the artifact.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.detector.bundle.bundle import Bundle, load_bundle
from pipeline.scoring import score_frame


class PyfuncDetector:
    """A loaded bundle with MLflow's method `predict`."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns score, threshold, is_anomaly, one row for each row of `frame`.

        Raises:
            DataError: a feature is missing or not finite; NaN is never "normal".
        """
        return score_frame(self.bundle, frame)


def _load_pyfunc(data_path: str) -> PyfuncDetector:
    return PyfuncDetector(load_bundle(Path(data_path)))
