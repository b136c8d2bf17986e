"""The gate of a recalibrated candidate: both thresholds on the same rows, and its card."""

from __future__ import annotations

from pipeline.detector.bundle.bundle import Bundle
from pipeline.errors import PromotionConflict
from pipeline.gate import GateVerdict, decide
from pipeline.monitoring.provisional import Provisional
from pipeline.recalibration import Recalibrated
from pipeline.registry import pages, tags
from pipeline.report.card import Link
from pipeline.report.recalibration_card import RecalibrationCard, recalibration_card
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.candidate import Candidate
from pipeline.steps.gate_case import GateCase
from pipeline.steps.live import LoadedVersion
from pipeline.steps.origin import RecalibrationInputs, RecalibrationWindow, origin_of
from pipeline.steps.recalibrating import recalibrated
from pipeline.steps.recalibration_facts import compare_thresholds
from pipeline.steps.recalibration_run import FIGURE, RECALIBRATION, described, held_episodes
from pipeline.steps.trusted_rows import provisional_of


def judge(here: Deployment, candidate: Candidate, bundle: Bundle) -> GateCase:
    """The candidate after all checks of a recalibrated one, compared with the live threshold.

    Raises:
        PromotionConflict: another version went live since the window was read: the recalibration
            may be of another network.
    """
    spec, inputs = origin_of(candidate, RecalibrationInputs)
    window, result = inputs.window, recalibrated(here, candidate)
    champion = live.champion(here, candidate.detector)
    if champion.version.run_id != candidate.run_id:
        _refuse_other_champion(champion.version.number, window)
    compared = compare_thresholds(here, candidate, result, champion)
    accepted = compared.facts.accepted
    verdict = decide(compared.facts, compared.champion, spec.gate)
    little, before = provisional_of(bundle, spec), provisional_of(champion.bundle, spec)
    image = pages.artifact_image(candidate.run_id, f"{RECALIBRATION}/{FIGURE}")
    card = RecalibrationCard(
        detector=spec.name,
        gate=verdict,
        result=result,
        old=champion.bundle.description.threshold,
        first_day=window.first_day,
        last_day=window.last_day,
        replay=compared.replayed,
        labels=window.labels,
        accepted=accepted,
        growth_accepted=inputs.growth_accepted.text if inputs.growth_accepted else "",
        held=held_episodes(here, spec, window, result),
        picture=Link("The window", image),
        links=(Link("Run", pages.inside_mlflow(candidate.page)),),
    )
    return GateCase(
        verdict=verdict,
        reason=_reason(verdict, accepted, result)
        # Of what is refused nothing is estimated anew.
        + (_trust(little, before, champion) if verdict.passed else ""),
        champion=champion.version.number,
        card=recalibration_card(card),
        card_name="Card",
        links=(),
        about=described(window),
        window=(window.first_day, window.last_day),
        telemetry_version=window.telemetry_version,
        realised_rate=None,
        tags={
            "drawn_on": f"{window.first_day} to {window.last_day}",
            "drawn_from": str(window.drawn_from),
            "detector": spec.name,
            **({tags.PROVISIONAL: little.sentence} if little else {}),
        },
    )


def _trust(little: Provisional | None, before: Provisional | None, champion: LoadedVersion) -> str:
    """What becomes of a provisional threshold; empty where there was and is none."""
    if little is not None:
        return f" It is {little.sentence}."
    if before is None:
        return ""
    return (
        f" It is confirmed: the threshold of version {champion.version.number} was provisional "
        f"with {before.rows:,.0f} independent rows of {before.needed:,}, and this one has enough."
    )


def _refuse_other_champion(number: int, window: RecalibrationWindow) -> None:
    if number != window.champion:
        msg = (
            f"Version {window.drawn_from} was recalibrated while version {window.champion} was "
            f"live, but version {number} is live now. Nothing was registered; run the recalibrate "
            "DAG again."
        )
        raise PromotionConflict(msg)


def _reason(verdict: GateVerdict, accepted: str, result: Recalibrated) -> str:
    """The reason for the ledger: the checks, the fix of a stop, or who has accepted it."""
    if not result.stops:
        return verdict.reason
    stopped = " ".join(stop.reason for stop in result.stops)
    if accepted:
        return f"{verdict.reason} Beyond the bounds, accepted by {accepted}. {stopped}"
    fixes = [check.reason for check in verdict.results if check.verdict == "fail"]
    return " ".join((verdict.reason, *fixes))
