"""A decision: a person's answer to a channel that left its training range. Pure.

`accept`: what this channel measures now is normal: never mute it and never report it. `mute`: leave
it out of the score, shifted or not, until somebody un-mutes it. `unmute`: always score it, never
mute it automatically, still report it. Like labels they are never erased; of two
about the same channel and entity the later one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from pipeline.data.label import require_zone
from pipeline.errors import DataError

Choice = Literal["accept", "mute", "unmute"]


@dataclass(frozen=True)
class ChannelDecision:
    """A person's decision about one channel.

    Attributes:
        channel: a raw measurement, as the detector file calls it.
        entity: the machine; None: all of them.
        decision: accept, mute or unmute.
        since: the first moment to which it applies, with a time zone; may be in the future.
        note: why, in the author's words.
        author: who decided.
        created_at: when; nothing that ran before then knows of it.
        run_id: the Airflow run that carried it; empty from the command line.

    Raises:
        DataError: on construction, if a time has no zone, or the decision or the author is invalid.
    """

    channel: str
    entity: str | None
    decision: Choice
    since: datetime
    note: str
    author: str
    created_at: datetime
    run_id: str = ""

    def __post_init__(self) -> None:
        for name in ("since", "created_at"):
            require_zone(name, getattr(self, name))
        if self.decision not in get_args(Choice):
            msg = f"decision {self.decision!r} is unknown; write one of {get_args(Choice)}."
            raise DataError(msg)
        if not self.author.strip():
            msg = "author is empty; a decision needs a person who answers for it."
            raise DataError(msg)


def newest_about(
    decisions: Sequence[ChannelDecision], channel: str, entity: str
) -> ChannelDecision | None:
    """The decision made last about a channel of a machine, or of all machines; None: nobody has."""
    about = (
        each for each in decisions if each.channel == channel and each.entity in (None, entity)
    )
    return max(about, key=lambda each: (each.created_at, each.since), default=None)
