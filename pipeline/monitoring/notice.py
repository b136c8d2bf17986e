"""The message about one incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.config import DetectorSpec
from pipeline.incidents import Incident
from pipeline.printable import one_line
from pipeline.shell import Shell

_MOST_CHANNELS = 3
_LONGEST_NAME = 120
_KINDS = {
    "anomaly": "is anomalous",
    "shifted feature": "has a sensor that left its range",
    "new regime": "is in a new regime",
}


@dataclass(frozen=True)
class Notice:
    """The message about one incident.

    Attributes:
        detector: the detector's name.
        incident: its id, by which it can be labelled.
        kind: the kind of incident.
        entity: the machine; empty where there is only one.
        day: the day it was seen on, ISO.
        version: the live version that raised it.
        subject: one line.
        text: the facts, and the commands to answer.
    """

    detector: str
    incident: str
    kind: str
    entity: str
    day: str
    version: int
    subject: str
    text: str


def notice_of(spec: DetectorSpec, incident: Incident, day: date, shell: Shell) -> Notice:
    """The message about one incident: kind, span, peak, blamed channels, and how to answer.

    Names of machines and channels are foreign text: subject and text hold them printable, and cut
    where they are very long; `entity` holds the name as it is.
    """
    where = one_line(incident.entity, most=_LONGEST_NAME) or spec.name
    blamed = [
        f"{one_line(b.channel, most=_LONGEST_NAME)} ({b.times_usual:.0f} x its usual share)"
        for b in incident.features
    ]
    worst = one_line(incident.features[0].channel, most=_LONGEST_NAME) if blamed else ""
    first = f", first of all {worst}" if worst else ""
    peak = f"{incident.peak:.1f} x the threshold at {incident.peak_at:%H:%M}"
    span = f"{incident.start:%Y-%m-%d %H:%M} to {incident.end:%Y-%m-%d %H:%M} UTC"
    answer = ("label", spec.name, "--incident", incident.id, "--verdict")
    lines = [
        f"From {span}, {incident.rows} rows.",
        f"Peak: {peak}." if incident.kind == "anomaly" else "",
        f"To blame: {'; '.join(blamed[:_MOST_CHANNELS])}." if blamed else "",
        f"Seen by version {incident.version}.",
        "Answer, and the answer is used. Something was wrong:",
        shell.plimsoll(*answer, "incident"),
        "It was a false alarm:",
        shell.plimsoll(*answer, "normal"),
    ]
    return Notice(
        detector=spec.name,
        incident=incident.id,
        kind=incident.kind,
        entity=incident.entity,
        day=day.isoformat(),
        version=incident.version,
        subject=f"{spec.name}: {where} {_KINDS[incident.kind]}{first}",
        text="\n".join(line for line in lines if line),
    )


def day_seen(incident: Incident, days: list[date]) -> date:
    """The first of `days` that the incident reaches into."""
    return next((day for day in days if day >= incident.start.date()), days[-1])
