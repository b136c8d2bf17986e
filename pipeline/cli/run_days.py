"""The stages of the DAGs about days, one after the other: `ingest`, `load` and `score`.

What a DAG does and these do not: retry an outage, spread groups of days over workers, and send
messages. Where a DAG would start another one, its command is printed.
"""

from __future__ import annotations

from pipeline.cli.job import DONE, NO, Job, span_of
from pipeline.data.grid import as_day
from pipeline.errors import DaysFailed
from pipeline.monitoring.next_action import for_broken
from pipeline.shell import this_shell
from pipeline.steps import drifting, fan_out, ingestion, promotion_watch, scoring, training_request
from pipeline.steps.candidate import detector_named
from pipeline.steps.promotion_watch import WatchOutcome
from pipeline.steps.scoring import ScoringOutcome
from pipeline.steps.threshold_watch import broken_threshold
from pipeline.store.ingestions import DayState

_WORDS: dict[DayState, str] = {
    "quarantined": "blocked",
    "failed": "failed",
    "empty": "empty",
    "withdrawn": "taken back",
}
"""States of a day without new rows, as a line names them."""


def ingest(job: Job, day: str) -> int:
    """Fetch, validate and write one day."""
    return _ingested(job, [as_day(day).isoformat()])


def load(job: Job, first: str, last: str, *, again: bool) -> int:
    """Ingest and score days in groups; all of them are done, whatever becomes of one.

    While nothing is live, days that are ingested only are no fault: it is the first load.
    """
    groups = fan_out.plan(
        job.here, job.detector, first, last, "score again" if again else "load and score"
    )
    code = DONE
    for days in groups:
        ingested = DONE if again else _ingested(job, days)
        scored = _scored(job, days)
        if ingested == NO or scored is None or (again and not scored.get("rows")):
            code = NO
    return code


def score(job: Job, day: str) -> int:
    """Score one day, judge its drift, and do what the day calls for, as the score DAG does."""
    days = [as_day(day).isoformat()]
    scored = _scored(job, days)
    if scored is None or "skipped" in scored:
        return NO
    judged = drifting.judge_days(job.here, job.detector, days, run=job.run)
    for period, verdict in (("day", judged.get("day")), ("week", judged.get("week"))):
        if verdict:
            job.say(f"{day}: drift of the {period}: {verdict['kind']}. {verdict['reason']}")
    _say_broken(job, days[0])
    watched = promotion_watch.watch(job.here, job.detector, days[0], run=job.run)
    if watched["tripped"]:
        _say_tripped(job, watched)
        return NO
    _request(job, days[0])
    return DONE if scored["rows"] else NO


def _ingested(job: Job, days: list[str]) -> int:
    """Ingest `days`; say what became of each that has no new rows."""
    try:
        written = ingestion.load(job.here, job.detector, days, run=job.run)
    except DaysFailed:
        pass  # each day is on record as failed, with the reason that is said below
    else:
        job.say(
            f"{span_of(days)}: {written['accepted']:,} rows accepted, "
            f"{written['rejected']:,} rejected"
        )
    code = DONE
    for state in ingestion.states_of(job.here, job.detector, days):
        if state.standing in _WORDS:
            job.say(f"{state.day}: {_WORDS[state.standing]}: {state.reasons}")
        if state.standing in ("quarantined", "failed"):
            code = NO
    return code


def _scored(job: Job, days: list[str]) -> ScoringOutcome | None:
    """Score `days` and say what came of it; None where a day cannot be scored."""
    try:
        outcome = scoring.score_days(job.here, job.detector, days, run=job.run)
    except DaysFailed as error:
        job.say(f"{span_of(days)}: {error}")
        return None
    if "skipped" in outcome:
        job.say(f"{span_of(days)}: not scored. {outcome['skipped']}")
    elif not outcome["rows"]:
        job.say(f"{span_of(days)}: not scored. {_why_no_rows(job, days)}")
    else:
        job.say(
            f"{span_of(days)}: {outcome['rows']:,} rows scored by version {outcome['version']}, "
            f"{outcome['flags']:,} flagged, {outcome['written']} days changed"
        )
    return outcome


def _why_no_rows(job: Job, days: list[str]) -> str:
    """Why there is nothing to score on `days`."""
    states = ingestion.states_of(job.here, job.detector, days)
    if states:
        return f"There are no rows: {states[-1].reasons or states[-1].standing}."
    command = this_shell(job.here).plimsoll(
        *("run", "load", job.detector, "--from", days[0], "--to", days[-1])
    )
    return f"Nothing was ingested yet; do so with `{command}`."


def _say_tripped(job: Job, watched: WatchOutcome) -> None:
    """Say that the newest promotion must be taken back, with the command that does it once."""
    command = this_shell(job.here).plimsoll(
        *("run", "rollback", job.detector, "--reason", watched["reason"]),
        *("--only-if-live", str(watched["version"])),
    )
    job.say(f"The promotion misbehaves: {watched['reason']} Take it back with `{command}`.")


def _say_broken(job: Job, day: str) -> None:
    """Say that the threshold does not hold after `day`, and what is known of the cause."""
    spec = detector_named(job.here, job.detector)
    broken = broken_threshold(job.here, spec, as_day(day), now=job.started)
    if broken is not None:
        todo = for_broken(job.detector, broken, this_shell(job.here))
        job.say(
            f"{day}: THE THRESHOLD DOES NOT HOLD since {broken.beginning}: {broken.finding}. "
            f"Because of: {broken.because}. Do: {todo.what}."
        )


def _request(job: Job, day: str) -> None:
    """Record the request that drift calls for, and say the command that answers it."""
    asked = training_request.ask_once(job.here, job.detector, day, run=job.run, now=job.started)
    if asked is None:
        return
    verb = training_request.VERBS[asked["action"]]
    command = this_shell(job.here).plimsoll("run", verb, job.detector, "--as-of", asked["as_of"])
    job.say(f"{day}: drift asks to {verb}: {asked['reason']} Do so with `{command}`.")
