"""The distance of a day's reconstructions from those of normal rows: one number to watch.

Not every family has a code, and where there is one its axes mean nothing from one training to the
next. Each family has the decoded code: the reconstruction. It holds what the network keeps of a
row and leaves out noise. So the distance is that of the mean
reconstruction of the day from the mean reconstruction of the reference, channel by channel in
standard deviations of the latter, and then the root of the mean square over the judged channels:
0 is the reference itself, 1 a day that lies one standard deviation away in each channel. A day of
weather lies at 0.5 to 1.5. It is no test: nothing is decided by it, and a row unlike all
training rows may be reconstructed as a normal one, which the scores show and this does not.

A family that reconstructs nothing (a forest) is measured by its rows instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.inputs.windows import windows
from pipeline.drift.comparison import Sample

_MOST_WINDOWS = 1000  # of a day: their mean is known to 3 % of a standard deviation
_LEAST_SPREAD = 0.05  # training deviations: a channel that hardly moves must not outweigh the rest


def latent_distance(bundle: Bundle, sample: Sample) -> float | None:
    """Distance of the mean reconstruction, in reference standard deviations; None without rows.

    Rows with a muted channel are left out, and at most 1,000 windows of `sample` are reconstructed.
    """
    whole = None if sample.muted is None else np.asarray(~sample.muted.any(axis=1))
    reference = bundle.reference()
    before = _seen(bundle, reference.features, reference.timeline, None)
    after = _seen(bundle, sample.features, sample.timeline, whole)
    if not (len(before) and len(after)):
        return None
    judged = np.array(bundle.schema.judged, dtype=bool)
    least = _LEAST_SPREAD * np.array(bundle.description.network.scaler.scale)
    away = (after.mean(axis=0) - before.mean(axis=0)) / np.maximum(before.std(axis=0), least)
    distance = float(np.sqrt(np.mean(away[judged] ** 2)))
    return distance if np.isfinite(distance) else None


def _seen(
    bundle: Bundle, values: Rows, timeline: Timeline | None, whole: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """The newest row of each window as the network reconstructs it, shape (m, d)."""
    cut = windows(values, bundle.schema.window, timeline)
    kept = np.arange(len(cut.end)) if whole is None else np.flatnonzero(whole[cut.end])
    if len(kept) > _MOST_WINDOWS:
        kept = kept[np.linspace(0, len(kept) - 1, _MOST_WINDOWS).round().astype(np.intp)]
    rows = cut.rows[kept]
    rebuilds = bundle.description.network.reconstructs and len(rows) > 0
    rebuilt = bundle.graph.reconstruct(rows) if rebuilds else rows
    return rebuilt[:, -values.shape[1] :].astype(np.float64)
