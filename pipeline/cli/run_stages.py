"""The stages of each DAG, one after the other, for a person at a shell.

What a DAG does and these do not: retry an outage, spread groups of days over workers, and send
messages. What needs a person's answer waits for `run promote`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pipeline.cli import waiting
from pipeline.dag_ids import command_line_run
from pipeline.data.grid import as_day
from pipeline.errors import DataError
from pipeline.records import Payload, from_json
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps import (
    approval,
    drifting,
    evaluating,
    fan_out,
    fitting,
    gating,
    ingestion,
    promotion,
    promotion_watch,
    recalibrating,
    scoring,
)
from pipeline.steps import housekeeping as upkeep
from pipeline.steps import rollback as rolling_back
from pipeline.steps.candidate import JudgedCandidate, detector_named
from pipeline.steps.ingestion import IngestionCounts
from pipeline.steps.origin import Acceptance

DONE, NO = 0, 1
"""Exit codes: done; the answer is no."""


@dataclass(frozen=True)
class Job:
    """One call of `run`.

    Attributes:
        here: the deployment.
        detector: whose.
        step: which of its DAGs it stands for.
        started: when.
        author: the person at the shell, for the ledger.
        say: prints a line.
    """

    here: Deployment
    detector: str
    step: str
    started: datetime
    author: str
    say: Callable[[str], None]

    @property
    def run(self) -> str:
        """The run as the tables and the ledger name it, in the place of a DAG run."""
        return command_line_run(self.detector, self.step, self.started)

    @property
    def who(self) -> str:
        """The person and the run."""
        return f"{self.author} in {self.run}"


def ingest(job: Job, day: str) -> int:
    """Fetch, validate and write one day."""
    staged = ingestion.validate(
        job.here,
        ingestion.fetch(job.here, job.detector, [day], run=job.run),
        run=job.run,
    )
    written = ingestion.write(job.here, staged, run=job.run)
    job.say(_written(day, written))
    return DONE


def score(job: Job, day: str) -> int:
    """Score one day and judge its drift; name the command where a promotion misbehaves."""
    outcome = scoring.score_days(job.here, job.detector, [day], run=job.run)
    if reason := outcome.get("skipped"):
        job.say(f"{day}: not scored. {reason}")
        return NO
    _say_scored(job, day, outcome)
    judged = drifting.judge_days(job.here, job.detector, [day], run=job.run)
    for period in ("day", "week"):
        if verdict := judged.get(period):
            job.say(f"{day}: drift of the {period}: {verdict['kind']}. {verdict['reason']}")
    watched = promotion_watch.watch(job.here, job.detector, as_day(day).isoformat(), run=job.run)
    if watched["tripped"]:
        command = this_shell().plimsoll(
            "run", "rollback", job.detector, "--reason", watched["reason"]
        )
        job.say(f"The promotion misbehaves: {watched['reason']} Take it back with `{command}`.")
        return NO
    return DONE


def load(job: Job, first: str, last: str, *, again: bool) -> int:
    """Ingest and score days in groups; all groups are done before a blocked day is an error."""
    groups = fan_out.plan(
        job.here, job.detector, first, last, "score again" if again else "load and score"
    )
    code = DONE
    for days in groups:
        if not again:
            written = ingestion.load(job.here, job.detector, days, run=job.run)
            job.say(_written(_span(days), written))
        outcome = scoring.score_days(job.here, job.detector, days, run=job.run)
        if reason := outcome.get("skipped"):
            job.say(f"{_span(days)}: not scored. {reason}")
        else:
            _say_scored(job, _span(days), outcome)
        try:
            ingestion.refuse_blocked(job.here, job.detector, days)
        except DataError as error:
            code = NO
            job.say(f"{_span(days)}: {error}")
    return code


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
    checked = rolling_back.check(
        job.here,
        job.detector,
        target=target,
        reason=reason,
        who=job.who,
        only_if_live=only_if_live,
    )
    moved = rolling_back.move(job.here, checked, target=target, reason=reason, who=job.who)
    if not moved["moved"]:
        job.say(moved["reason"])
    else:
        job.say(f"version {moved['target']} is live, version {moved['leave']} was taken back")
    for group in rolling_back.plan(job.here, moved):
        rolling_back.rescore(job.here, **group, run=job.run)
        job.say(f"{_span(group['days'])}: scored again")
    rolling_back.finish(job.here, moved, run=job.run)
    return DONE if moved["moved"] else NO


def housekeeping(job: Job, *, dry_run: bool) -> int:
    """Remove versions, staged files and old table files that nothing needs."""
    for name, stage in (
        ("prune", upkeep.prune),
        ("clear", upkeep.clear),
        ("tidy", upkeep.tidy),
    ):
        told = stage(job.here, job.detector, now=job.started, dry_run=dry_run)
        job.say(f"{name}: {json.dumps(told, default=str)}")
    return DONE


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
        job.say(f"version {judged['version']} stays out: {outcome['reason']}")
        return NO
    behind = f", version {outcome['replaced']} is behind it" if outcome["replaced"] else ""
    job.say(f"version {judged['version']} is live{behind}")
    return DONE


def _written(span: str, written: IngestionCounts) -> str:
    return f"{span}: {written['accepted']:,} rows accepted, {written['rejected']:,} rejected"


def _say_scored(job: Job, span: str, outcome: dict[str, Any]) -> None:
    job.say(
        f"{span}: {outcome['rows']:,} rows scored by version {outcome['version']}, "
        f"{outcome['flags']:,} flagged, {outcome['written']} days changed"
    )


def _span(days: list[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
