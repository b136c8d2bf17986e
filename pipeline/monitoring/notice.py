"""The messages about an incident, a new degradation or a shift that grows, and the reminder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.cases import FAULT, NORMAL_FROM_NOW_ON, Case, Doubling
from pipeline.config import DetectorSpec
from pipeline.drift import ACTIONS
from pipeline.incidents import Incident
from pipeline.printable import LONGEST_NAME, one_line
from pipeline.shell import Shell

REMINDER = "open cases"
"""Kind of the reminder."""

GROWN = "grown shift"
"""Kind of the message about growth."""

NO_VERSION = 0

_OCTAVE = " 2^"
_MOST_CHANNELS = 3
_MOST_CASES = 20
_KINDS = {
    "anomaly": "is anomalous",
    "shifted feature": "has a sensor that left its range",
    "new regime": "is in a new regime",
}


@dataclass(frozen=True)
class Notice:
    """The message about an incident, a new degradation, growth of a shift, or all open cases.

    Attributes:
        detector: the detector's name.
        incident: its id, by which it can be labelled; of a degradation that of the case, of a
            reminder its week; of growth what `growth_id` says.
        kind: the kind of incident; `degradation`; `grown shift`; `open cases` of a reminder.
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
    where = one_line(incident.entity, most=LONGEST_NAME) or spec.name
    blamed = [
        f"{one_line(b.channel, most=LONGEST_NAME)} ({b.times_usual:.0f} x its usual share)"
        for b in incident.features
    ]
    worst = one_line(incident.features[0].channel, most=LONGEST_NAME) if blamed else ""
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
    machines = one_line(named, most=LONGEST_NAME)
    channels = one_line(", ".join(case.channels), most=LONGEST_NAME)
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
                one_line(case.why, most=4 * LONGEST_NAME),
                f"Action: {action}. No threshold and no model follows it by itself.",
                "Answer, and the answer is used. Something is wrong:",
                shell.plimsoll(*answer, FAULT, "--reason", "..."),
                "It is normal from now on:",
                shell.plimsoll(*answer, NORMAL_FROM_NOW_ON, "--reason", "..."),
            ]
        ),
    )


def growth_id(case: Case, doubling: Doubling) -> str:
    """What the message about a doubling is filed under: machine and channel, end and distance.

    Not the id of the case, which late days give another start and with it another id.
    """
    name = hashlib.sha256("|".join(case.key).encode()).hexdigest()[:12]
    return f"{name} {'above' if doubling.above else 'below'}{_OCTAVE}{doubling.octave}"


def is_growth_known(case: Case, doubling: Doubling, filed: Mapping[str, date]) -> bool:
    """Whether a message since the case began says that it is as far out, or farther.

    Args:
        case: the case.
        doubling: of it.
        filed: what messages are filed under, and on which day.
    """
    name = growth_id(case, doubling).partition(_OCTAVE)[0]
    parts = ((each.partition(_OCTAVE), day) for each, day in filed.items())
    return any(
        began == name and int(octave) >= doubling.octave and day >= case.start.date()
        for (began, _, octave), day in parts
    )


def growth_of(spec: DetectorSpec, case: Case, doubling: Doubling, shell: Shell) -> Notice:
    """The message about a shift that has doubled: how far out it is, and how to answer.

    Names are foreign text: subject and text hold them printable, and cut where they are very long.
    """
    name, span, above = case.channels[0], case.ranges[0], doubling.above
    channel = one_line(name, most=LONGEST_NAME)
    machine = one_line(", ".join(case.machines), most=LONGEST_NAME) or spec.name
    feature = spec.columns.features.get(name)
    unit = f" {feature.unit}" if feature is not None and feature.unit != "1" else ""
    here, there = ("above", "below") if above else ("below", "above")
    if doubling.times is None:
        far, known = f"{here} its range and not {there} it", "as it was when it was called normal"
    else:
        far = f"{doubling.times:.1f} times as far outside its range"
        known = "as when it was last told or called normal"
    answer = ("cases", spec.name, "--answer", case.id)
    return Notice(
        detector=spec.name,
        incident=growth_id(case, doubling),
        kind=GROWN,
        entity=case.machines[0] if case.machines else "",
        day=doubling.at.date().isoformat(),
        version=NO_VERSION,
        subject=f"{spec.name}: {channel} of {machine} is now {far}",
        text="\n".join(
            [
                f"Since {doubling.at:%Y-%m-%d %H:%M} UTC {channel} of {machine} is {far}, {known}:",
                one_line(
                    f"{doubling.value:.6g}{unit}, {here} the range of {span.low:.6g} to "
                    f"{span.high:.6g}{unit}.",
                    most=2 * LONGEST_NAME,
                ),
                f"The case is open since {case.start:%Y-%m-%d %H:%M} UTC.",
                "You hear of it again when the distance has doubled once more.",
                "Answer, and the answer is used. Something is wrong:",
                shell.plimsoll(*answer, FAULT, "--reason", "..."),
                "It is normal from now on, as far out as it is:",
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
        f"{case.id}: {case.kind} of {one_line(where, most=LONGEST_NAME)}, {span}.",
        one_line(case.why, most=2 * LONGEST_NAME),
    )
