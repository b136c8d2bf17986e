"""One message per incident: the notices that are due, and the record of those that were sent.

A message is sent when an incident is first seen on a recent day, and never again, however long the
incident lasts. The record is written after the message was sent, so a worker that dies between the
two sends it twice rather than never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.errors import OutageError
from pipeline.incidents import Incident
from pipeline.printable import one_line
from pipeline.records import Payload, from_json, to_json
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps.candidate import detector_named
from pipeline.steps.incidents import incidents_between
from pipeline.tables import Table

_MOST_FEATURES = 3
_LONGEST_NAME = 120
_KINDS = {
    "anomaly": "is anomalous",
    "shifted feature": "has a sensor that left its range",
    "new regime": "is in a new regime",
}

log = structlog.get_logger()


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


def due(
    here: Deployment, detector: str, days: list[str], *, now: datetime
) -> list[Payload[Notice]]:
    """Notices of the incidents on `days` without a message so far, oldest first.

    Days further back than `notify.horizon_days` are history and get no message.
    """
    spec = detector_named(here, detector)
    oldest = now.date() - timedelta(days=spec.notify.horizon_days)
    news = sorted(day for day in map(as_day, days) if day >= oldest)
    if not news:
        return []
    sent = tables.read(Table(here.storage, detector, "notices"), columns=["incident"])
    known = set(sent["incident"])
    found = incidents_between(spec, news[0], news[-1], root=here.storage)
    return [
        to_json(notice_of(spec, incident, _day_seen(incident, news)))
        for incident in found
        if incident.status == "raised" and incident.id not in known
    ]


def send_notices(
    here: Deployment,
    notices: Sequence[Payload[Notice]],
    send: Callable[[Payload[Notice]], None],
    *,
    channel: str,
    run: str,
) -> int:
    """`send` each notice and record it; return their number.

    A failure does not keep the others from being sent.

    Raises:
        OutageError: some were not sent; the next call finds these due again.
    """
    failed: list[tuple[str, Exception]] = []
    for notice in notices:
        try:
            send(notice)
            record_sent(here, notice, channel=channel, run=run)
        except Exception as error:  # noqa: BLE001 - channels raise anything; all are reported below
            failed.append((str(notice["incident"]), error))
            log.warning("message_not_sent", incident=notice["incident"], error=type(error).__name__)
    if failed:
        # Not the channel's text: it may quote the address of a webhook, which is its password.
        kinds = ", ".join(sorted({type(error).__name__ for _, error in failed}))
        msg = (
            f"{len(failed)} of {len(notices)} messages did not go out by {channel} ({kinds}): "
            f"incidents {', '.join(name for name, _ in failed)}. The others did. Look at the "
            "connection that notify.connection names, then clear this task: it sends what is left."
        )
        raise OutageError(msg) from failed[0][1]
    return len(notices)


def record_sent(here: Deployment, payload: Payload[Notice], *, channel: str, run: str) -> None:
    """Record that a notice was sent, so that it is sent once."""
    notice = from_json(Notice, payload)
    tables.append(
        Table(here.storage, notice.detector, "notices"),
        [
            {
                "date": as_day(notice.day),
                "incident": notice.incident,
                "kind": notice.kind,
                "entity": notice.entity,
                "version": notice.version,
                "channel": channel,
                "text": notice.text,
                "run_id": run,
                "sent_at": datetime.now(UTC),
            }
        ],
    )


def notice_of(spec: DetectorSpec, incident: Incident, day: date) -> Notice:
    """The message about one incident: kind, span, peak, blamed features, and how to answer.

    Names of machines and channels are foreign text: subject and text hold them printable, and cut
    where they are very long; `entity` holds the name as it is.
    """
    where = one_line(incident.entity, most=_LONGEST_NAME) or spec.name
    blamed = [
        f"{one_line(b.feature, most=_LONGEST_NAME)} ({b.times_usual:.0f} x its usual share)"
        for b in incident.features
    ]
    worst = one_line(incident.features[0].feature, most=_LONGEST_NAME) if blamed else ""
    first = f", first of all {worst}" if worst else ""
    peak = f"{incident.peak:.1f} x the threshold at {incident.peak_at:%H:%M}"
    span = f"{incident.start:%Y-%m-%d %H:%M} to {incident.end:%Y-%m-%d %H:%M} UTC"
    answer = ("label", spec.name, "--incident", incident.id, "--verdict")
    shell = this_shell()
    lines = [
        f"From {span}, {incident.rows} rows.",
        f"Peak: {peak}." if incident.kind == "anomaly" else "",
        f"To blame: {'; '.join(blamed[:_MOST_FEATURES])}." if blamed else "",
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


def _day_seen(incident: Incident, days: list[date]) -> date:
    """The first of `days` that the incident reaches into."""
    return next((day for day in days if day >= incident.start.date()), days[-1])
