"""The open case of a slow degradation, as each recalibration and each newest week find it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from pipeline.cases.answers import NORMAL_FROM_NOW_ON, answers_in_force
from pipeline.cases.records import DEGRADATION, SeenDegradation
from pipeline.config import DetectorSpec
from pipeline.detector.bundle.bundle import knows_until
from pipeline.drift import Carriers
from pipeline.drift.carriers import NOBODY
from pipeline.drift.observed import accepted_rows
from pipeline.incidents.judging import fitted_columns
from pipeline.recalibration import Recalibrated
from pipeline.recalibration.ancestry import anchor_of
from pipeline.settings import Deployment
from pipeline.steps.cases_on_record import answers_known
from pipeline.steps.drift_evidence import observed_rows
from pipeline.steps.live import LoadedVersion
from pipeline.steps.origin import Acceptance
from pipeline.store.cases import cases_after, state_degradation
from pipeline.store.drift import DriftState, drift_state
from pipeline.utc_day import ONE_DAY

_RECENT_DAYS = 7  # at most, whose rows are scored again to see which channels have grown


def put_on_record(
    here: Deployment,
    spec: DetectorSpec,
    result: Recalibrated,
    parent: LoadedVersion,
    *,
    growth_accepted: bool = False,
) -> None:
    """Open or extend the case where scores have grown since the accepted state; else close it.

    A raise below the certainty of a degradation is a case as well, and so is one that a bound has
    stopped: it is told, and stays open until the threshold is back or a person has accepted it.
    `parent` is the version that was recalibrated. With `growth_accepted` a person has answered for
    the growth, and nothing is said of the case.
    """
    if growth_accepted:
        return
    said = found(result)
    if said is not None:
        named = _carriers(here, spec, parent, said)
        said = replace(_carried_by(said, named), accepted=_accepted_on(parent))
    elif not result.raised and _is_back(here, spec, result.day):
        said = SeenDegradation(result.day, (), (), "The scores are where they were.", returned=True)
    if said is not None:
        state_degradation(here, spec.name, said)


def found(result: Recalibrated) -> SeenDegradation | None:
    """What a recalibration says of the growth since the accepted state; None: there is none."""
    grown = result.degradation
    if grown is not None:
        why = (
            f"Since {grown.since} {grown.share:.1%} of the rows lie above a score that at most "
            f"{grown.level.share:.1%} of the accepted rows exceed."
        )
        return SeenDegradation(result.day, grown.machines, (), why, since=grown.since)
    # A raise that a bound has stopped changes nothing by itself, so nobody would hear of it.
    stopped = next((stop.reason for stop in result.stops if stop.value > 0), "")
    why = stopped or result.raised
    return SeenDegradation(result.day, (), (), why, since=result.anchor.day) if why else None


def growth_accepted(
    here: Deployment, detector: str, since: date, as_of: datetime
) -> Acceptance | None:
    """Who has called a degradation normal from now on, after `since` and by `as_of`; the newest.

    `since` is the day of the accepted state: an answer before it is part of that state.

    Raises:
        UnprovenAnswer: an answer that no trusted key has signed.
    """
    said = [
        answer
        for answer in answers_in_force(answers_known(here, detector, as_of), as_of)
        if answer.kind == DEGRADATION
        and answer.answer == NORMAL_FROM_NOW_ON
        and answer.created_at.date() > since
    ]
    return Acceptance(said[-1].author, said[-1].note) if said else None


def put_week_on_record(
    here: Deployment, spec: DetectorSpec, champion: LoadedVersion, state: DriftState
) -> None:
    """Open or extend the case where the newest week is a degradation.

    Only the newest: what an older week says, a recalibration since may have closed. Nor where the
    live version's data include the day, which then belongs to what the version was judged by. A
    week that is none closes nothing: the next recalibration does.
    """
    week = state.of_week
    if week is None or week.kind != DEGRADATION or state.version != champion.version.number:
        return
    newest = drift_state(here, spec, date.max)
    if newest is None or newest.day != state.day or knows_until(champion.bundle) > state.day:
        return
    since = state.day - timedelta(days=spec.drift.rolling_days) + ONE_DAY
    named = week.carriers
    said = SeenDegradation(
        state.day,
        named.machines,
        named.channels,
        week.reason,
        since=since,
        accepted=_accepted_on(champion),
    )
    state_degradation(here, spec.name, said)


def _accepted_on(parent: LoadedVersion) -> date | None:
    """Day of the state that a person has accepted last; None: it is still that of the training."""
    answered = parent.bundle.answered_reference() is not None
    return anchor_of(parent.bundle).day if answered else None


def _is_back(here: Deployment, spec: DetectorSpec, day: date) -> bool:
    """Whether there is a case that the scores up to `day` give no more reason for.

    The recalibration watches shares of rows, and the verdict of the week the law of the score: one
    may see what the other does not.
    """
    if DEGRADATION not in {case.kind for case in cases_after(here, spec.name, day)}:
        return False
    state = drift_state(here, spec, day)
    week = state.of_week if state is not None else None
    return week is None or week.kind != DEGRADATION


def _carriers(
    here: Deployment, spec: DetectorSpec, parent: LoadedVersion, said: SeenDegradation
) -> Carriers:
    """The channels and machines of the last days with rows that have grown."""
    first = max(said.since or said.day, said.day - _RECENT_DAYS * ONE_DAY + ONE_DAY)
    fitted = spec.model_copy(update={"columns": fitted_columns(parent.bundle)})
    rows = observed_rows(here, fitted, parent, first, said.day)
    if rows is None:
        return NOBODY
    return accepted_rows(parent.bundle, fitted.columns).carriers(rows.between(first, said.day))


def _carried_by(said: SeenDegradation, named: Carriers) -> SeenDegradation:
    machines = said.machines or named.machines
    carriers = Carriers(named.channels, machines)
    why = f"{said.why} Most of it: {carriers.sentence}." if named.channels else said.why
    return replace(said, machines=machines, channels=named.channels, why=why)
