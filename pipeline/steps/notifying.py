"""One message per incident: the notices that are due, and the record of those that were sent.

A message is sent when an incident or the case of a degradation is first seen on a recent day, and
never again, however long it lasts; only a shift is told again each time that it has doubled. What
stays open is remembered by one message a week about all open cases. While the threshold does not
hold, one message says so, and single anomalies that have begun since get none. The record is
written after the message was sent, so a worker that dies between the two sends it twice rather than
never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import structlog

from pipeline.cases.records import DEGRADATION
from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.errors import OutageError
from pipeline.incidents import Incident
from pipeline.incidents.parts import ANOMALY, FAULT
from pipeline.monitoring.broken_threshold import BrokenThreshold, id_prefix, since_of
from pipeline.monitoring.data_fault import data_fault_of
from pipeline.monitoring.next_action import for_broken
from pipeline.monitoring.notice import (
    Notice,
    day_seen,
    degradation_of,
    growth_of,
    is_growth_known,
    notice_of,
    reminder_id,
    reminder_of,
)
from pipeline.monitoring.threshold_notice import BROKEN, HOLDS_AGAIN, broken_of, holds_again_of
from pipeline.records import Payload, from_json, to_json
from pipeline.settings import Deployment
from pipeline.shell import Shell, this_shell
from pipeline.steps.candidate import detector_named
from pipeline.steps.cases_on_record import doublings_of, open_on
from pipeline.steps.threshold_watch import ThresholdState, threshold_after
from pipeline.store.incidents import incidents_between
from pipeline.store.ingestions import missing_between
from pipeline.store.notices import (
    FiledNotice,
    SentNotice,
    last_notice,
    noticed_incidents,
    record_notice,
)
from pipeline.store.thresholds import effective_rows_by_version

_MOVED = timedelta(days=2)

log = structlog.get_logger()


def due(
    here: Deployment, detector: str, days: list[str], *, now: datetime
) -> list[Payload[Notice]]:
    """Notices of the incidents on `days` without a message so far, oldest first.

    Before them, that the threshold does not hold, once, which takes the place of those that have
    begun since; or that it holds again. Behind them new degradations, shifts that have doubled, and
    the reminder of open cases, where the week of the newest day has had none. Days further back
    than `notify.horizon_days` are history and get no message.
    """
    spec = detector_named(here, detector)
    oldest = now.date() - timedelta(days=spec.notify.horizon_days)
    news = sorted(day for day in map(as_day, days) if day >= oldest)
    if not news:
        return []
    found = incidents_between(here, spec, news[0], news[-1])
    cases = open_on(here, detector, news[-1], now=now)
    degraded = [case for case in cases if case.kind == DEGRADATION]
    doubled = doublings_of(here, detector, cases, now=now)
    grown = [(case, each) for case, each in doubled if each.at.date() >= oldest]
    lasting = (*degraded, *(case for case, _ in grown))
    begins = [*(each.start.date() for each in found), *(case.start.date() for case in lasting)]
    monday = news[-1] - timedelta(days=news[-1].weekday())
    known = noticed_incidents(here, detector, since=min([monday, news[0], *begins]))
    shell = this_shell(here)
    state = threshold_after(here, spec, news[-1], now=now)
    broken = state.broken
    new = [
        each
        for each in found
        if each.status == "raised"
        and each.id not in known
        and not (broken and _replaced(each, broken.since))
    ]
    worth = effective_rows_by_version(here, detector) if new else {}
    faults = [incident for incident in new if incident.kind == FAULT]
    missing = missing_between(here, detector, news[0], news[-1]) if faults else ()
    notices = _about_threshold(here, spec, state, news[-1], shell)
    notices += [
        data_fault_of(spec, incident, day_seen(incident, news), missing)
        if incident.kind == FAULT
        else notice_of(
            spec,
            incident,
            day_seen(incident, news),
            shell,
            rows_effective=worth.get(incident.version, math.inf),
        )
        for incident in new
    ]
    notices += [
        degradation_of(spec, case, news[-1], shell) for case in degraded if case.id not in known
    ]
    notices += [
        growth_of(spec, case, each, shell)
        for case, each in grown
        if not is_growth_known(case, each, known)
    ]
    if cases and reminder_id(news[-1]) not in known:
        notices.append(reminder_of(spec, cases, news[-1], shell))
    return [to_json(notice) for notice in notices]


def _replaced(incident: Incident, since: datetime) -> bool:
    """Whether one message about the threshold takes the place of that about an incident."""
    return incident.kind == ANOMALY and incident.start >= since


def _about_threshold(
    here: Deployment,
    spec: DetectorSpec,
    state: ThresholdState,
    day: date,
    shell: Shell,
) -> list[Notice]:
    """That the threshold does not hold, unless that was told; else that it holds again."""
    broken = state.broken
    if broken is None and not state.may_be_back:
        return []
    last = last_notice(here, spec.name, (BROKEN, HOLDS_AGAIN))
    if broken is not None:
        if _is_told(here, spec, broken, last):
            return []
        held = _begun(here, spec, broken.since, day)
        todo = for_broken(spec.name, broken, shell)
        return [broken_of(spec, broken, day, todo, shell, held=held)]
    if last is None or last.kind == HOLDS_AGAIN or last.date >= day:
        return []
    held = _begun(here, spec, since_of(last.incident), day)
    return [holds_again_of(spec, last.incident, day, shell, held=held)]


def _is_told(
    here: Deployment, spec: DetectorSpec, broken: BrokenThreshold, last: FiledNotice | None
) -> bool:
    """Whether a message has said it; `last` is the newest one about the threshold."""
    prefix = id_prefix(broken.version)
    if broken.earlier and last is not None and last.kind == BROKEN:
        return last.incident.startswith(prefix)
    # Rows that are scored again may move the beginning a little.
    told = noticed_incidents(here, spec.name, since=broken.since.date() - _MOVED)
    return any(each.startswith(prefix) for each in told)


def _begun(here: Deployment, spec: DetectorSpec, since: datetime, day: date) -> int:
    """How many anomalies have begun since then, up to `day`."""
    found = incidents_between(here, spec, since.date(), day)
    return sum(each.status == "raised" and _replaced(each, since) for each in found)


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
    sent = SentNotice(
        date=as_day(notice.day),
        incident=notice.incident,
        kind=notice.kind,
        entity=notice.entity,
        version=notice.version,
        channel=channel,
        text=notice.text,
        run_id=run,
        sent_at=datetime.now(UTC),
    )
    record_notice(here, notice.detector, sent)
