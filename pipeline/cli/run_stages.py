"""The stages of the DAGs about versions, one after the other; `run_days` has those about days.

What needs a person's answer waits for `run promote`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from pipeline.cli import waiting
from pipeline.cli.job import DONE, NO, Job, span_of
from pipeline.data.grid import as_day
from pipeline.records import Payload, from_json
from pipeline.steps import approval, evaluating, fitting, gating, promotion, recalibrating
from pipeline.steps import housekeeping as upkeep
from pipeline.steps import rollback as rolling_back
from pipeline.steps.candidate import JudgedCandidate, detector_named
from pipeline.steps.origin import Acceptance


def train(job: Job, as_of: str | None, *, training_days: int | None, warm_start: bool) -> int:
    """Train a candidate and judge it; promote it if nobody has to be asked."""
    day = as_of or job.started.date().isoformat()
    candidate = fitting.window(
        job.here,
        job.detector,
        as_day(day).isoformat(),
        training_days=training_days,
        warm_start=warm_start,
    )
    job.say(f"candidate {candidate['name']}: rows read and split")
    for stage, done in (
        (partial(fitting.train, run=job.run), "fitted"),
        (fitting.calibrate, "threshold estimated"),
        (evaluating.evaluate, "evaluated"),
        (evaluating.drift, "compared with its references"),
    ):
        candidate = stage(job.here, candidate)
        job.say(f"candidate {candidate['name']}: {done}")
    return _go_live(job, gating.gate(job.here, candidate, run=job.run))


def recalibrate(job: Job, as_of: str | None, *, accepted: str) -> int:
    """Estimate the threshold anew for the live weights; judge and promote it as `train` does."""
    day = as_of or (job.started + timedelta(days=1)).date().isoformat()
    audits = recalibrating.audit(job.here, job.detector, day, run=job.run)
    job.say(f"{audits['new']:,} of {audits['episodes']:,} episodes put up for labelling")
    acceptance = Acceptance(job.author, accepted) if accepted else None
    candidate = recalibrating.window(job.here, job.detector, day, acceptance=acceptance)
    if isinstance(candidate, recalibrating.NotDue):
        job.say(f"not recalibrated. {candidate.reason}")
        return NO
    candidate = recalibrating.recalibrate(job.here, candidate, run=job.run)
    job.say(f"candidate {candidate['name']}: threshold estimated")
    return _go_live(job, gating.gate(job.here, candidate, run=job.run))


def promote(job: Job, version: int, *, approve: bool, comment: str) -> int:
    """Give a person's answer about the candidate `version`, which waits for one.

    Raises:
        DataError: it does not wait.
        PromotionConflict: another version went live since it was judged; it may only be rejected.
    """
    question = waiting.question_about(job.here, job.detector, version)
    limit = timedelta(hours=detector_named(job.here, job.detector).promotion.approval_hours)
    in_time = job.started - question.asked_at <= limit
    # After Airflow's time limit nobody has answered, and so it is here.
    answer = approval.signed(
        job.here,
        approval.question(question.payload, run=question.run),
        who=job.author if in_time else "",
        answer=approval.APPROVE if approve and in_time else approval.REJECT,
        comment=comment if in_time else "",
        at=job.started.isoformat(),
    )
    outcome = _promoted(job, question.payload, answer, run=question.run)
    waiting.settle(job.here, question)
    if outcome == DONE:
        _say_superseded(job)
    return outcome


def rollback(job: Job, target: str, reason: str, *, only_if_live: int | None) -> int:
    """Make an earlier version live, and score the days of the one that goes once more."""
    checked = rolling_back.validate_target(
        job.here,
        job.detector,
        target=target,
        reason=reason,
        who=job.who,
        only_if_live=only_if_live,
    )
    moved = rolling_back.set_champion(job.here, checked, target=target, reason=reason, who=job.who)
    if not moved["moved"]:
        job.say(moved["reason"])
    else:
        job.say(f"version {moved['target']} is live, version {moved['leave']} was taken back")
    for group in rolling_back.plan_rescore(job.here, moved):
        rolling_back.rescore(job.here, **group, run=job.run)
        job.say(f"{span_of(group['days'])}: scored again")
    rolling_back.close(job.here, moved, run=job.run)
    return DONE if moved["moved"] else NO


def housekeeping(job: Job, *, dry_run: bool) -> int:
    """Remove versions, staged files and old table files that nothing needs."""
    pruned = upkeep.prune_versions(job.here, job.detector, now=job.started, dry_run=dry_run)
    cleared = upkeep.clear_staging(job.here, job.detector, now=job.started, dry_run=dry_run)
    tidied = upkeep.tidy_tables(job.here, job.detector, now=job.started, dry_run=dry_run)
    would = "would be " if dry_run else ""
    gone = f"{would}removed"
    job.say(f"versions {gone}: {_listed(pruned['deleted'])}")
    for number, why in pruned["kept"].items():
        job.say(f"version {number} is kept: {why}")
    job.say(f"staged files of ingestions {gone}: {_listed(cleared['ingestions'])}")
    job.say(f"staged files of candidates {gone}: {_listed(cleared['candidates'])}")
    for name, files in tidied.items():
        job.say(
            f"table {name}: {files['compacted']} files {would}compacted, {files['deleted']} {gone}"
        )
    return DONE


def _listed(names: Sequence[object]) -> str:
    return ", ".join(map(str, names)) or "none"


def _go_live(job: Job, judged: Payload[JudgedCandidate]) -> int:
    """Promote at once where nobody is asked; else keep what was judged for `run promote`."""
    word = "passed its gate" if judged["passed"] else "was rejected"
    job.say(f"version {judged['version']} {word}: {judged['reason']}")
    job.say(f"its card: {judged['candidate']['page']}")
    if not judged["passed"] or detector_named(job.here, job.detector).promotion.approval == "none":
        return _promoted(job, judged, None, run=job.run)
    _ask(job, waiting.Question(from_json(JudgedCandidate, judged), job.run, datetime.now(UTC)))
    return NO


def _ask(job: Job, question: waiting.Question) -> None:
    """Let a candidate wait for `run promote`; say how to answer, and what else waits."""
    before = [each.version for each in waiting.waiting(job.here, job.detector)]
    waiting.keep(job.here, question)
    approve, reject = (
        waiting.command(job.here, job.detector, question.version, answer)
        for answer in ("--approve", "--reject")
    )
    job.say(
        f"A person must answer before it goes live: read the card, then `{approve}` or `{reject}`."
    )
    if question.version in before:
        job.say(f"version {question.version} was judged again: only its new card is asked about.")
    for other in before:
        if other != question.version:
            job.say(
                f"version {other} still waits, too, for an answer of its own; once one of them is "
                "live the other can only be rejected."
            )


def _say_superseded(job: Job) -> None:
    """Say which other candidates cannot go live any more."""
    for other in waiting.waiting(job.here, job.detector):
        reject = waiting.command(job.here, job.detector, other.version, "--reject")
        job.say(
            f"version {other.version} is superseded: it was compared with what was live before. "
            f"Reject it with `{reject}`."
        )


def _promoted(job: Job, judged: Payload[JudgedCandidate], answer: str | None, *, run: str) -> int:
    outcome = promotion.promote(job.here, judged, answer=answer, run=run)
    if not outcome["promoted"]:
        why = "" if outcome["reason"] == judged["reason"] else f": {outcome['reason']}"
        job.say(f"version {judged['version']} stays out{why}")
        return NO
    behind = f", version {outcome['replaced']} is behind it" if outcome["replaced"] else ""
    job.say(f"version {judged['version']} is live{behind}")
    return DONE
