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
from pathlib import Path
from typing import Any

from pipeline.data.grid import as_day
from pipeline.errors import DataError
from pipeline.private_file import write_private
from pipeline.records import Payload
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
        return f"{self.detector}__{self.step}/cli__{self.started.isoformat(timespec='seconds')}"

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
        command = this_shell(job.here).plimsoll(
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


def promote(job: Job, *, approve: bool, comment: str) -> int:
    """Give a person's answer about the candidate that waits for one.

    Raises:
        DataError: none waits.
    """
    waiting = _waiting(job.here, job.detector)
    if not waiting.exists():
        msg = (
            f"no candidate of {job.detector} waits for an answer in {waiting.parent}; run "
            "`train` or `recalibrate` here first. One that a DAG has judged is answered in Airflow."
        )
        raise DataError(msg)
    judged = json.loads(waiting.read_text())
    asked_at = datetime.fromisoformat(judged.pop("asked_at"))
    limit = timedelta(hours=detector_named(job.here, job.detector).promotion.approval_hours)
    in_time = job.started - asked_at <= limit
    # After Airflow's time limit nobody has answered, and so it is here.
    run = str(judged.pop("run"))
    answer = approval.signed(
        job.here,
        approval.question(judged, run=run),
        who=job.author if in_time else "",
        answer=approval.APPROVE if approve and in_time else approval.REJECT,
        comment=comment if in_time else "",
        at=job.started.isoformat(),
    )
    outcome = _promoted(job, judged, answer, run=run)
    waiting.unlink()
    return outcome


def rollback(job: Job, target: str, reason: str) -> int:
    """Make an earlier version live, and score the days of the one that goes once more."""
    checked = rolling_back.validate_target(
        job.here, job.detector, target=target, reason=reason, who=job.who
    )
    moved = rolling_back.set_champion(job.here, checked, target=target, reason=reason, who=job.who)
    if not moved["moved"]:
        job.say(moved["reason"])
    else:
        job.say(f"version {moved['target']} is live, version {moved['leave']} was taken back")
    for group in rolling_back.plan_rescore(job.here, moved):
        rolling_back.rescore(job.here, **group, run=job.run)
        job.say(f"{_span(group['days'])}: scored again")
    rolling_back.close(job.here, moved, run=job.run)
    return DONE if moved["moved"] else NO


def housekeeping(job: Job, *, dry_run: bool) -> int:
    """Remove versions, staged files and old table files that nothing needs."""
    for stage in (upkeep.prune_versions, upkeep.clear_staging, upkeep.tidy_tables):
        told = stage(job.here, job.detector, now=job.started, dry_run=dry_run)
        job.say(f"{stage.__name__}: {json.dumps(told, default=str)}")
    return DONE


def _go_live(job: Job, judged: Payload[JudgedCandidate]) -> int:
    """Promote at once where nobody is asked; else keep what was judged for `run promote`."""
    word = "passed its gate" if judged["passed"] else "was rejected"
    job.say(f"version {judged['version']} {word}: {judged['reason']}")
    job.say(f"its card: {judged['candidate']['page']}")
    if not judged["passed"] or detector_named(job.here, job.detector).promotion.approval == "none":
        return _promoted(job, judged, None, run=job.run)
    waiting = _waiting(job.here, job.detector)
    waiting.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    asked = judged | {"asked_at": datetime.now(UTC).isoformat(), "run": job.run}
    write_private(waiting, json.dumps(asked))
    approve, reject = (
        this_shell(job.here).plimsoll("run", "promote", job.detector, answer)
        for answer in ("--approve", "--reject")
    )
    job.say(
        f"A person must answer before it goes live: read the card, then `{approve}` or `{reject}`."
    )
    return NO


def _promoted(job: Job, judged: Payload[JudgedCandidate], answer: str | None, *, run: str) -> int:
    outcome = promotion.promote(job.here, judged, answer=answer, run=run)
    if not outcome["promoted"]:
        job.say(f"version {judged['version']} stays out: {outcome['reason']}")
        return NO
    behind = f", version {outcome['replaced']} is behind it" if outcome["replaced"] else ""
    job.say(f"version {judged['version']} is live{behind}")
    return DONE


def _waiting(here: Deployment, detector: str) -> Path:
    """Where a judged candidate waits for its answer: not in the lake, where every worker writes."""
    return here.home / "waiting" / f"{detector}.json"


def _written(span: str, written: IngestionCounts) -> str:
    return f"{span}: {written['accepted']:,} rows accepted, {written['rejected']:,} rejected"


def _say_scored(job: Job, span: str, outcome: dict[str, Any]) -> None:
    job.say(
        f"{span}: {outcome['rows']:,} rows scored by version {outcome['version']}, "
        f"{outcome['flags']:,} flagged, {outcome['written']} days changed"
    )


def _span(days: list[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
