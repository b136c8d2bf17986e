"""Requests for a training or a recalibration when the data call for it.

`model stale`, or an incident that says the plant is in a new regime, asks for training;
`threshold stale` asks for a recalibration. `degradation` asks for neither, which would teach the
model or the threshold a slow fault: its case tells a person. The verdict of the week decides and
not of the day, which is mostly weather. The caller makes sure that a backfill does not ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.detector.bundle.bundle import knows_until
from pipeline.drift import Kind
from pipeline.locking import promotion_lock
from pipeline.monitoring.provisional import EVERY, due, is_provisional
from pipeline.records import Payload, to_json
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.candidate import detector_named
from pipeline.steps.live import LoadedVersion
from pipeline.steps.trusted_rows import provisional_of
from pipeline.store.drift import drift_state
from pipeline.store.incidents import raised_parts
from pipeline.store.requests import RecordedRequest, record_request, requests_for
from pipeline.utc_day import ONE_DAY

Ask = Literal["retrain", "recalibrate"]

VERBS: Mapping[Ask, str] = {"retrain": "train", "recalibrate": "recalibrate"}
"""The DAG that each action starts, in the order in which they are asked for: a new model has a new
threshold as well."""

_CALLS_FOR: Mapping[Kind, Ask] = {"model stale": "retrain", "threshold stale": "recalibrate"}
_REGIME = "new regime"

log = structlog.get_logger()


@dataclass(frozen=True)
class TrainingRequest:
    """A request for a training or a recalibration.

    Attributes:
        action: which of them.
        detector: of which detector.
        day: the day whose verdict calls for it, ISO.
        as_of: the day after it, ISO: nothing later may be read.
        reason: one sentence.
    """

    action: Ask
    detector: str
    day: str
    as_of: str
    reason: str


def ask_once(
    here: Deployment, detector: str, day: str, *, run: str, now: datetime
) -> Payload[TrainingRequest] | None:
    """The first request that the verdict of `day` calls for; None: it calls for none, see `ask`."""
    for action in VERBS:
        asked = ask(here, detector, day, action=action, run=run, now=now)
        if asked is not None:
            return asked
    return None


def ask(
    here: Deployment, detector: str, day: str, *, action: Ask, run: str, now: datetime
) -> Payload[TrainingRequest] | None:
    """The payload of a request for `action` if the verdict of `day` calls for it; None otherwise.

    At most once in `drift.cooldown_days` days of data (once a week while the live version is
    provisional), and not where the live version's data include this day. The same run gets the same
    answer again.
    """
    spec, judged = detector_named(here, detector), as_day(day)
    champion = live.champion_or_none(here, detector)
    if champion is None or knows_until(champion.bundle) > judged:
        return None
    reason = _reason(spec, here, champion, judged, action)
    if not reason:
        return None
    # The lock keeps two days that are scored at once from both asking.
    with promotion_lock(here, detector):
        threshold = champion.bundle.description.threshold
        weekly = is_provisional(threshold, needed=spec.gate.minimum_calibration_rows)
        cooldown = EVERY if weekly else timedelta(days=spec.drift.cooldown_days)
        asked = _asked(spec, here, judged, action, cooldown)
        if asked and run not in {row["run_id"] for row in asked if row["date"] == judged}:
            log.info("asked_not_long_ago", detector=detector, action=action, day=day)
            return None
        if not asked:
            record_request(here, detector, RecordedRequest(judged, action, reason, run, now))
    log.info("asked", detector=detector, action=action, day=day, reason=reason)
    as_of = (judged + ONE_DAY).isoformat()
    return to_json(TrainingRequest(action, detector, day, as_of, reason))


def _reason(
    spec: DetectorSpec, here: Deployment, champion: LoadedVersion, day: date, action: Ask
) -> str:
    """Why `action` is called for; empty when it is not."""
    if regime := _regime(spec, here, champion, day):
        return regime if action == "retrain" else ""  # a new threshold would only hide it
    if action == "recalibrate" and (little := _provisional(spec, champion, day)):
        return little
    state = drift_state(here, spec, day)
    if state is None or state.day != day or state.of_week is None:
        return ""
    if state.version != champion.version.number:
        return ""  # about another model than the one that would be replaced
    week = state.of_week
    return f"{week.kind}: {week.reason}" if _CALLS_FOR.get(week.kind) == action else ""


def _provisional(spec: DetectorSpec, champion: LoadedVersion, day: date) -> str:
    """Why a provisional threshold is to be estimated anew; empty where it is not, or not yet."""
    found = provisional_of(champion.bundle, spec)
    minimum_days = spec.recalibration.minimum_days
    if found is None or not due(
        found, knows_until(champion.bundle), day, minimum_days=minimum_days
    ):
        return ""
    return f"version {champion.version.number} is {found.sentence}."


def _regime(spec: DetectorSpec, here: Deployment, champion: LoadedVersion, day: date) -> str:
    """The sentence about an incident of `day` that says the plant is in a new regime."""
    columns = ["kind", "entity", "start", "version"]
    rows = raised_parts(here, spec.name, columns, first=day, last=day)
    mine = rows["kind"].eq(_REGIME)
    found = rows[mine & rows["version"].eq(champion.version.number)].sort_values("start")
    if found.empty:
        return ""
    where = ", ".join(dict.fromkeys(found["entity"].fillna("").astype(str))) or spec.name
    since = found["start"].iloc[0]
    return f"new regime: many channels of {where} left their training range on {since:%Y-%m-%d}."


def _asked(
    spec: DetectorSpec, here: Deployment, day: date, action: Ask, cooldown: timedelta
) -> list[dict[Any, Any]]:
    """Requests for `action` that are too near in time, whichever was made first."""
    near = cooldown - ONE_DAY
    return requests_for(here, spec.name, action, day - near, day + near)
