"""The message about a sensor that failed: which one, by which rule, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pipeline.config import DetectorSpec
from pipeline.data.faults import RULES
from pipeline.data.missing_channels import MissingChannel
from pipeline.incidents import Incident
from pipeline.monitoring.notice import Notice
from pipeline.printable import LONGEST_NAME, one_line

_LONGEST_DETAIL = 300
_MEANWHILE = (
    "The rest of the machine is scored, with what the network expects in its place; these rows are "
    "marked partial. While it lasts nothing more is told of it."
)


def data_fault_of(
    spec: DetectorSpec, incident: Incident, day: date, missing: Sequence[MissingChannel]
) -> Notice:
    """The message about an incident of the kind `data fault`.

    `missing` is what the days of the incident lack, of any channel. Names and details are foreign
    text: the message holds them printable, and cut where they are very long.
    """
    channel = incident.features[0].channel
    found = max(
        (each for each in missing if _is_about(each, channel, incident)),
        key=lambda each: each.cells,
        default=None,
    )
    where = one_line(incident.entity, most=LONGEST_NAME) or spec.name
    name = one_line(channel, most=LONGEST_NAME)
    rule = "" if found is None else f" ({found.rule.replace('_', ' ')})"
    lines = [
        f"Since {incident.start:%Y-%m-%d %H:%M} UTC {name} is missing in most rows.",
        *_why(found, name),
        _MEANWHILE,
    ]
    return Notice(
        detector=spec.name,
        incident=incident.id,
        kind=incident.kind,
        entity=incident.entity,
        day=day.isoformat(),
        version=incident.version,
        subject=f"{spec.name}: {where} has a sensor that failed: {name}{rule}",
        text="\n".join(lines),
    )


def _is_about(each: MissingChannel, channel: str, incident: Incident) -> bool:
    same = (each.channel, each.entity) == (channel, incident.entity)
    return same and each.first <= incident.end and incident.start <= each.last


def _why(found: MissingChannel | None, name: str) -> list[str]:
    """The rule that the channel broke, in words, and what to do."""
    if found is None:
        return []
    detail = one_line(found.detail, most=_LONGEST_DETAIL)
    fix = RULES[found.rule].format(feature=name, detail=detail)
    action = [] if fix == detail else [f"To do: {fix}."]
    return [f"The first of them, at {found.first:%Y-%m-%d %H:%M}: {detail}.", *action]
