"""The table `decisions`: it only grows, like `labels`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from pipeline.config import DetectorSpec
from pipeline.data.channels import channels
from pipeline.data.decision import ChannelDecision
from pipeline.data.label import require_zone
from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.store import answered
from pipeline.tables import Table

__all__ = ["ChannelDecision", "add_decision", "decisions_as_of"]


def add_decision(here: Deployment, spec: DetectorSpec, decision: ChannelDecision) -> bool:
    """Append `decision`; returns whether it is new. One that is on record is not written twice.

    Raises:
        DataError: the detector has no such channel.
    """
    known = [channel.name for channel in channels(spec.columns)]
    if decision.channel not in known:
        msg = (
            f"{spec.name} has no channel {decision.channel!r}; choose from {', '.join(known)}. "
            "A decision is about the raw measurement and all features made of it."
        )
        raise DataError(msg)
    if decision in decisions_as_of(here, spec.name, decision.created_at):
        return False
    answered.add(here, Table(here.storage, spec.name, "decisions"), [asdict(decision)])
    return True


def decisions_as_of(
    here: Deployment, detector: str, as_of: datetime
) -> tuple[ChannelDecision, ...]:
    """The decisions made by `as_of`, oldest first; superseded ones included.

    Raises:
        UnprovenAnswer: one that no trusted key has signed.
    """
    require_zone("as_of", as_of)
    rows = answered.given_by(
        here, Table(here.storage, detector, "decisions"), as_of.astimezone(UTC).date()
    )
    known = [ChannelDecision(**row) for row in rows]
    return tuple(
        sorted(
            (each for each in known if each.created_at <= as_of),
            key=lambda each: (each.created_at, each.channel, each.entity or "", each.decision),
        )
    )
