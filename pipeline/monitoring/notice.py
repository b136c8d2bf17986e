"""The message about one incident or a new degradation, and the weekly reminder of open cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.cases import FAULT, NORMAL_FROM_NOW_ON, Case
from pipeline.config import DetectorSpec
from pipeline.drift import ACTIONS
from pipeline.incidents import Incident
from pipeline.printable import one_line
from pipeline.shell import Shell

REMINDER = "open cases"
"""Kind of the reminder."""

NO_VERSION = 0

_MOST_CHANNELS = 3
_MOST_CASES = 20
_LONGEST_NAME = 120
_KINDS = {
    "anomaly": "is anomalous",
    "shifted feature": "has a sensor that left its range",
    "new regime": "is in a new regime",
}


@dataclass(frozen=True)
class Notice:
    """The message about one incident, a new degradation, or all open cases of a detector.

    Attributes:
        detector: the detector's name.
        incident: its id, by which it can be labelled; of a degradation that of the case, of a
            reminder its week.
        kind: the kind of incident; `degradation`; `open cases` of a reminder.
        entity: the machine; empty where there is only one, or the message is about several.
        day: the day it was seen on, ISO.
        version: the live version that raised it; NO_VERSION where it is about cases.
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


def notice_of(
    spec: DetectorSpec, incident: Incident, day: date, shell: Shell, *, rows_effective: float
) -> Notice:
    """The message about one incident: kind, span, peak, blamed channels, and how to answer.

    `rows_effective` are those that the threshold rests on; with few the message says that it is
    provisional. Names of machines and channels are foreign text: subject and text hold them
    printable, and cut where they are very long; `entity` holds the name as it is.
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
        f"Seen by version {incident.version}.{_provisional(rows_effective, spec)}",
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


def _provisional(rows: float, spec: DetectorSpec) -> str:
    needed = spec.gate.minimum_calibration_rows
    if rows >= needed:
        return ""
    return f" Its threshold is provisional: it rests on {rows:,.0f} of {needed:,} independent rows."


def day_seen(incident: Incident, days: list[date]) -> date:
    """The first of `days` that the incident reaches into."""
    return next((day for day in days if day >= incident.start.date()), days[-1])


def week_of(day: date) -> str:
    """The ISO week of a day, `2026-W49`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def reminder_id(day: date) -> str:
    """What the reminder of a day's week is filed under."""
    return f"open cases {week_of(day)}"


def degradation_of(spec: DetectorSpec, case: Case, day: date, shell: Shell) -> Notice:
    """The message about a new case of a degradation: what carries it, what to do, how to answer.

    Names are foreign text: subject and text hold them printable, and cut where they are very long.
    """
    named = ", ".join(case.machines) or spec.name
    machines = one_line(named, most=_LONGEST_NAME)
    channels = one_line(", ".join(case.channels), most=_LONGEST_NAME)
    carried = f"; {channels} carries most of it" if len(case.channels) == 1 else ""
    carried = f"; {channels} carry most of it" if len(case.channels) > 1 else carried
    answer, action = ("cases", spec.name, "--answer", case.id), ACTIONS["degradation"]
    return Notice(
        detector=spec.name,
        incident=case.id,
        kind=case.kind,
        entity=case.machines[0] if len(case.machines) == 1 else "",
        day=day.isoformat(),
        version=NO_VERSION,
        subject=f"{spec.name}: the scores of {machines} grow{carried}",
        text="\n".join(
            [
                f"Since {case.start:%Y-%m-%d} of {machines}{carried}.",
                one_line(case.why, most=4 * _LONGEST_NAME),
                f"Action: {action}. No threshold and no model follows it by itself.",
                "Answer, and the answer is used. Something is wrong:",
                shell.plimsoll(*answer, FAULT, "--reason", "..."),
                "It is normal from now on:",
                shell.plimsoll(*answer, NORMAL_FROM_NOW_ON, "--reason", "..."),
            ]
        ),
    )


def reminder_of(spec: DetectorSpec, cases: Sequence[Case], day: date, shell: Shell) -> Notice:
    """The weekly message about all open cases of a detector, oldest first, and how to answer.

    Names are foreign text: subject and text hold them printable, and cut where they are very long.
    """
    first = cases[0]
    lines = [line for case in cases[:_MOST_CASES] for line in _about(case, spec.name)]
    more = len(cases) - _MOST_CASES
    answers = [
        shell.plimsoll("cases", spec.name, "--answer", first.id, answer, "--reason", "...")
        for answer in (NORMAL_FROM_NOW_ON, FAULT)
    ]
    number = f"{len(cases)} cases are" if len(cases) > 1 else "1 case is"
    return Notice(
        detector=spec.name,
        incident=reminder_id(day),
        kind=REMINDER,
        entity="",
        day=day.isoformat(),
        version=NO_VERSION,
        subject=f"{spec.name}: {number} open, the oldest since {first.start:%Y-%m-%d}",
        text="\n".join(
            [
                f"Open after {day}, the oldest first:",
                *lines,
                *([f"and {more} more."] if more > 0 else []),
                "A case closes when its raw data have returned, or by your answer. The oldest:",
                *answers,
                "All of them:",
                shell.plimsoll("cases", spec.name),
            ]
        ),
    )


def _about(case: Case, detector: str) -> tuple[str, str]:
    where = ", ".join(case.machines) or detector
    span = f"{case.start:%Y-%m-%d %H:%M} to {case.last_row:%Y-%m-%d %H:%M} UTC"
    return (
        f"{case.id}: {case.kind} of {one_line(where, most=_LONGEST_NAME)}, {span}.",
        one_line(case.why, most=2 * _LONGEST_NAME),
    )
