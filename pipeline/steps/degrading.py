"""The open case of a slow degradation, as each recalibration finds it."""

from __future__ import annotations

from pipeline.cases.records import DEGRADATION, SeenDegradation
from pipeline.recalibration import Recalibrated
from pipeline.settings import Deployment
from pipeline.store.cases import cases_after, state_degradation


def put_on_record(here: Deployment, detector: str, result: Recalibrated) -> None:
    """Open or extend the case where scores have grown since the accepted state; else close it.

    A raise below the certainty of a degradation is a case as well: it is told, and stays open until
    the threshold is back or a person has accepted it.
    """
    said = found(result)
    known = {case.kind for case in cases_after(here, detector, result.day)}
    if said is None and DEGRADATION in known:
        said = SeenDegradation(result.day, (), (), "The scores are where they were.", returned=True)
    if said is not None:
        state_degradation(here, detector, said)


def found(result: Recalibrated) -> SeenDegradation | None:
    """What a recalibration says of the growth since the accepted state; None: there is none."""
    grown = result.degradation
    if grown is not None:
        why = (
            f"Since {grown.since} {grown.share:.1%} of the rows lie above a score that at most "
            f"{grown.level.share:.1%} of the accepted rows exceed."
        )
        return SeenDegradation(result.day, grown.machines, (), why, since=grown.since)
    if result.raised and not result.stops:  # what stopped asks by itself, and has raised nothing
        return SeenDegradation(result.day, (), (), result.raised, since=result.anchor.day)
    return None
