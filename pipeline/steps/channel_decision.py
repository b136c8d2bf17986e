"""People's decisions about channels that left their training range."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from pipeline.data.decision import ChannelDecision, Choice
from pipeline.data.label_request import Author, known_machine, moment_of
from pipeline.records import Payload, to_json
from pipeline.settings import Deployment
from pipeline.steps.candidate import detector_named
from pipeline.steps.fan_out import grouped
from pipeline.store.decisions import add_decision, decisions_as_of
from pipeline.store.scores import scored_days
from pipeline.utc_day import midnight

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class RecordedDecision(ChannelDecision):
    """A decision in the table of `detector`; `new` unless the same run had recorded it before."""

    detector: str
    new: bool


def record_decision(
    here: Deployment,
    detector: str,
    channel: str,
    choice: Choice,
    by: Author,
    *,
    entity: str | None = None,
    since: str | None = None,
    note: str = "",
) -> Payload[RecordedDecision]:
    """Record a decision about a channel, and return what was recorded.

    Without `since` it counts from the first moment of today, UTC: days that are scored already
    stay as they are, and the next day to be scored is treated alike from end to end.

    Raises:
        DataError: no such channel or machine, or `since` is not a time; nothing was recorded.
    """
    spec = detector_named(here, detector)
    today = midnight(by.at.astimezone(UTC).date())
    decision = ChannelDecision(
        channel=channel,
        entity=known_machine(spec, entity),
        decision=choice,
        since=moment_of("since", since) if since else today,
        note=note,
        author=by.author,
        created_at=by.at,
        run_id=by.run,
    )
    same_run = [each for each in decisions_as_of(here, detector, by.at) if each.run_id == by.run]
    made = same_run[0] if by.run and same_run else decision
    new = add_decision(here, spec, made)
    recorded = to_json(RecordedDecision(**vars(made), detector=detector, new=new))
    log.info("decision_recorded", **recorded)
    return recorded


def plan_rescore(here: Deployment, recorded: Payload[RecordedDecision]) -> list[list[str]]:
    """The days since a decision that already have scores, in groups for one task each."""
    detector, since = str(recorded["detector"]), datetime.fromisoformat(recorded["since"]).date()
    held = scored_days(here, detector)
    return grouped(here, detector, [day for day in held if day >= since], "score again")
