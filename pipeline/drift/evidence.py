"""The rows to test for drift, when nobody has labelled them yet."""

from __future__ import annotations

import numpy as np

from pipeline.data.timeline import Indices, Mask, Timeline, subset
from pipeline.drift.comparison import Sample

_MOST_FLAGGED = 0.1  # of an entity's rows: ten times what a threshold usually lets cross
_FEWEST_ENTITIES = 3  # of two it is unclear which one differs


def entity_apart(flagged: Mask, timeline: Timeline) -> str | None:
    """The one entity of several that is flagged while the others are not, or None.

    A machine that fails while its neighbours run is an incident, not drift: it is reported as one,
    and a person decides about it. Left in, a day's outage of one turbine in four
    would ask for another model. Several machines at once are the plant, and stay.
    """
    codes, entity, counts = np.unique(timeline.entity, return_inverse=True, return_counts=True)
    if len(codes) < _FEWEST_ENTITIES:
        return None
    hits = np.bincount(entity, weights=flagged)
    worst = int(np.argmax(hits / counts))
    others = (hits.sum() - hits[worst]) / (counts.sum() - counts[worst])
    apart = float(hits[worst] / counts[worst]) > _MOST_FLAGGED >= float(others)
    return timeline.names[int(codes[worst])] if apart else None


def without(sample: Sample, entity: str) -> Sample:
    """The rows of the other entities."""
    return some(
        sample, np.flatnonzero(sample.timeline.entity != sample.timeline.names.index(entity))
    )


def some(sample: Sample, kept: Mask | Indices) -> Sample:
    """The kept rows."""
    return Sample(
        subset(sample.timeline, kept),
        sample.features[kept],
        sample.score[kept],
        None if sample.muted is None else sample.muted[kept],
    )
