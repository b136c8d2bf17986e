"""A bundle that reads rows in the order of the detector file, whatever the order of its own inputs.

Faults go into the channels of the file. A live version may have been trained when the file had its
features in another order, or fewer of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import Columns
from pipeline.data.timeline import Indices
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.detector.inputs.scored import Rows, WindowScores


@dataclass(frozen=True)
class FileOrder:
    """A bundle and the places of its inputs.

    Attributes:
        bundle: the bundle.
        features: the file's features in their order, then inputs that it does not have any more.
        places: of each input of the bundle among them.
    """

    bundle: Bundle
    features: tuple[str, ...]
    places: Indices

    def score(self, rows: Rows) -> WindowScores:
        """As `Bundle.score`, of windows of shape (n, window * features).

        The errors by feature are in the bundle's order.
        """
        windows = rows.reshape(len(rows), -1, len(self.features))[:, :, self.places]
        return self.bundle.score(np.ascontiguousarray(windows).reshape(len(rows), -1))

    @property
    def postprocessing(self) -> ScorePostprocessing:
        """That of the bundle, for rows in this order."""
        own = self.bundle.postprocessing
        if own.contexts is None or own.contexts.column is None:
            return own
        column = int(self.places[own.contexts.column])
        return replace(own, contexts=replace(own.contexts, column=column))


def in_file_order(bundle: Bundle, columns: Columns) -> FileOrder:
    """`bundle` for rows in the order of `columns`."""
    own, of_file = bundle.schema.features, columns.feature_columns
    features = (*of_file, *(name for name in own if name not in of_file))
    return FileOrder(bundle, features, np.array([features.index(name) for name in own]))
