"""What a bundle's own network expects of the cells of a model input that must not count."""

from __future__ import annotations

import numpy as np

from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.filled_cells import PASSES, Filling
from pipeline.detector.inputs.scaling import Ranges


def filling_of(bundle: Bundle) -> Filling:
    """Fills in cells of model inputs of shape (n, window * d).

    A kind of score does not matter: what the network expects is also nearer to a remembered normal
    row than the training mean is, even where the score leaves the residual out. A family that
    reconstructs nothing (a forest) has no expectation: there the training mean stays.
    """
    facts, window = bundle.description.network, bundle.schema.window
    return Filling(
        bundle.graph.reconstruct,
        np.tile(np.array(facts.scaler.mean, dtype=np.float32), window),
        Ranges(facts.ranges.lowest * window, facts.ranges.highest * window),
        passes=PASSES if facts.reconstructs else 0,
    )
