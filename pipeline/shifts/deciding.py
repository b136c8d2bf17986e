"""People's decisions about each row and channel: the only state beyond a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.data.decision import ChannelDecision
from pipeline.data.timeline import Timeline

_CODES = {"accept": 1, "mute": 2, "unmute": 3}  # 0: nobody has decided anything


@dataclass(frozen=True)
class Decided:
    """The decision in force, shape (n, c) each; at most one of them is true.

    Attributes:
        accept: what the channel measures is normal: never muted, never reported.
        mute: left out of the score whatever it measures, and not reported again.
        unmute: never muted by itself; still reported when it leaves its range.
    """

    accept: NDArray[np.bool_]
    mute: NDArray[np.bool_]
    unmute: NDArray[np.bool_]


def decided(
    timeline: Timeline, names: Sequence[str], decisions: Sequence[ChannelDecision]
) -> Decided:
    """The decision in force at each row for each of the channels `names`.

    A decision is in force from its `since` on, for its entity or for all of them. Of several the
    one made last counts: it corrects the others. Decisions about channels that the detector does
    not have are ignored.
    """
    latest = np.zeros((len(timeline), len(names)), dtype=np.int8)
    for decision in sorted(decisions, key=lambda one: (one.created_at, one.since)):
        if decision.channel not in names:
            continue
        since = pd.Timestamp(decision.since).tz_convert("UTC").as_unit("ns")
        about = timeline.time_ns >= since.value
        if decision.entity is not None:
            ours = (
                timeline.names.index(decision.entity) if decision.entity in timeline.names else -1
            )
            about &= timeline.entity == ours
        latest[about, names.index(decision.channel)] = _CODES[decision.decision]
    return Decided(*(latest == _CODES[kind] for kind in ("accept", "mute", "unmute")))
