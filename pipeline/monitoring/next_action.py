"""The most urgent next action for a detector, as a command. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from pipeline.dag_ids import PROMISED, STARTING, dag_id, is_from_command_line
from pipeline.shell import Shell
from pipeline.utc_day import ONE_DAY

if TYPE_CHECKING:  # they bring the registry, which takes seconds
    from pipeline.cases import Case
    from pipeline.monitoring.broken_threshold import BrokenThreshold
    from pipeline.monitoring.day_status import PartitionState
    from pipeline.monitoring.health import Health

Run = tuple[str, Mapping[str, str]]
"""A run of a DAG: its verb and its parameters."""

_LONG = timedelta(days=31)

NOTHING = "nothing: all is well"


@dataclass(frozen=True)
class NextAction:
    """An action and its reason; `command` is empty where there is nothing to run."""

    what: str
    command: str = ""


def next_action(health: Health, shell: Shell) -> NextAction:
    """The most urgent action that `health` asks for, as a command for `shell`."""
    return next(_wanted(health, shell), NextAction(NOTHING))


def _wanted(health: Health, shell: Shell) -> Iterator[NextAction]:
    """All actions, most urgent first: the live version, lost days, open items."""
    for fault in health.faults:
        yield NextAction(fault.fix or "look into the ledger", fault.command)
    if health.broken is not None:
        yield for_broken(health.detector, health.broken, shell, partial(_run, health, shell))
    yield from _promised(health, shell)
    if health.unfinished_rollback:
        left = ", ".join(str(version) for version in health.unfinished_rollback)
        yield _run(
            health,
            shell,
            f"finish the rollback of version {left}: days that it scored await their new scores",
            ("rollback", {"target": "previous", "reason": "finish the rollback"}),
        )
    yield from _days(health, shell)
    days = any(health.counts.get(state) for state in ("scored", "waiting"))
    if health.live is None and days and not _asks(health):
        yield _run(health, shell, "train the first version", ("train", {}))
    yield from _judgements(health, shell)
    yield from _answers(health, shell)
    if health.not_loaded:
        first, last = health.not_loaded
        yield _run(
            health,
            shell,
            f"load the rest of the history, {first} to {last}",
            ("load", {"from_day": str(first), "to_day": str(last)}),
        )
    yield from _starting(health, shell)


def for_broken(
    detector: str,
    broken: BrokenThreshold,
    shell: Shell,
    begin: Callable[[str, Run], NextAction] | None = None,
) -> NextAction:
    """What to do where the threshold does not hold.

    `begin` makes an action of a run of a DAG, where more is known of the DAGs than `shell` says.
    """
    begin = begin or (lambda what, run: NextAction(what, _started(detector, run, shell)))
    causes, remedy = broken.causes, broken.remedy
    why = f"the threshold does not hold since {broken.beginning}"
    if remedy == "roll back":
        only = {"target": "previous", "only_if_live": str(broken.version)}
        return begin(
            f"roll version {broken.version} back: {causes.tripped}",
            ("rollback", {**only, "reason": causes.tripped}),
        )
    if remedy == "train":
        return begin(f"train anew: {why}, and a new threshold would hide it", ("train", {}))
    if remedy == "recalibrate":
        return begin(f"recalibrate: {why}, and no case is open", ("recalibrate", {}))
    if remedy == "fix the source":
        return NextAction(f"fix the source: {causes.drift_reason}".rstrip("."))
    if causes.cases:
        verb = "look, then say" if remedy == "look" else "say"
        number = len(causes.cases)
        what = f"the {number} open cases are" if number > 1 else "the open case is"
        then = "a fault, or normal from now on, which lets the next version follow"
        return NextAction(f"{verb} what {what}: {why}; {then}", shell.plimsoll("cases", detector))
    listed = shell.plimsoll("label", detector, "--list")
    return NextAction(f"look at what the flagged rows show, and label it: {why}", listed)


def _started(detector: str, run: Run, shell: Shell) -> str:
    verb, conf = run
    return shell.start(detector, verb, paused=verb in STARTING, **conf)


def _promised(health: Health, shell: Shell) -> Iterator[NextAction]:
    """Required DAGs that are paused."""
    paused = [verb for verb in PROMISED if verb in (health.paused or ())]
    if paused:
        what = f"unpause {', '.join(paused)}: while they are paused, their runs wait unseen"
        yield NextAction(what, _unpause(health.detector, paused, shell) or "")


def _starting(health: Health, shell: Shell) -> Iterator[NextAction]:
    """Scheduled DAGs that are still paused."""
    paused = [verb for verb in STARTING if verb in (health.paused or ())]
    if paused and not health.ended:
        what = f"unpause {', '.join(paused)}, if they are to run automatically from now on"
        yield NextAction(what, _unpause(health.detector, paused, shell) or "")


def _days(health: Health, shell: Shell) -> Iterator[NextAction]:
    """Actions for days without a final state, and for failed days."""
    name, states = health.detector, health.due
    missing = [each for each in states if each.state == "missing"]
    if missing:
        yield _run(
            health,
            shell,
            f"ingest {_span(missing)}, which were never attempted{_or_never(missing)}",
            _load(missing),
        )
    odd = [each for each in states if each.state == "contradictory"]
    if odd:
        yield NextAction(
            f"look into {_span(odd)}: {odd[0].reason}", shell.plimsoll("status", name, "--proof")
        )
    waiting = [each for each in states if each.state == "waiting"]
    if waiting and health.live is not None:
        yield _run(health, shell, f"score {_span(waiting)}", _score(waiting))
    failed = [each for each in states if each.state == "failed"]
    scoring = [each for each in failed if each.scoring_failed]
    if failed:
        chosen, again = (scoring, _score) if scoring else (failed, _load)
        yield _run(
            health,
            shell,
            f"fix and run again {_span(chosen)}: {chosen[-1].reason}",
            again(chosen),
        )


def _or_never(missing: Sequence[PartitionState]) -> str:
    """The alternative for a long gap: the source may never have had these days."""
    first, last = _run_of(missing)
    if last - first < _LONG:
        return ""
    return "; if the source never had them, set schedule.start and end to the days that it has"


def _judgements(health: Health, shell: Shell) -> Iterator[NextAction]:
    """Actions for the drift verdict, a waiting challenger, shifted channels and open cases."""
    name = health.detector
    if health.drift is not None and health.drift.action in ("retrain", "recalibrate"):
        verb = {"retrain": "train"}.get(health.drift.action, health.drift.action)
        yield _run(health, shell, f"{verb}: {health.drift.reason}", (verb, {}))
    for case in health.open_cases:  # at most one of them is a degradation
        if case.kind == "degradation":
            yield _look(name, case, shell)
    if health.challenger is not None and _asks(health):
        yield _approval(name, health.challenger, health.challenger_run, shell)
    if health.undecided:
        yield NextAction(
            f"decide about {', '.join(health.undecided)}, which left its training range",
            shell.plimsoll("channel", name, "--list"),
        )
    if health.open_cases:
        count = len(health.open_cases)
        cases = f"the {count} open cases are" if count > 1 else "the open case is"
        what = f"say what {cases}: a fault, or normal"
        yield NextAction(what, shell.plimsoll("cases", name))


def _look(detector: str, case: Case, shell: Shell) -> NextAction:
    """Where scores grow a person looks before anything follows them."""
    what = f"look at {', '.join(case.machines) or detector}: {case.why}"
    words = ("cases", detector, "--answer", case.id, "was a fault", "--reason", "...")
    return NextAction(what, shell.plimsoll(*words))


def _asks(health: Health) -> bool:
    """Whether a candidate waits for a person's approval."""
    return health.challenger is not None and health.approval == "human"


def _approval(detector: str, version: int, run: str, shell: Shell) -> NextAction:
    """The answer about a challenger, where `run` has asked for it."""
    what = f"approve or reject version {version}: its promotion card is in MLflow"
    if is_from_command_line(run):
        words = ("run", "promote", detector, "--version", str(version), "--approve")
        return NextAction(
            f"{what}; or --reject, in the shell that judged it", shell.plimsoll(*words)
        )
    return NextAction(
        f"{what}, the question under Required Actions of {run.partition('/')[0]} in Airflow"
    )


def _answers(health: Health, shell: Shell) -> Iterator[NextAction]:
    """Episodes that wait for a label, audits first: each of them represents many."""
    listed = shell.plimsoll("label", health.detector, "--list")
    if health.audits_waiting:
        yield NextAction(f"label the {health.audits_waiting} episodes sampled at random", listed)
    if health.open_incidents:
        yield NextAction(f"say what the {health.open_incidents} open incidents were", listed)
    if health.missing:
        yield NextAction(f"repair the sensors: the newest day was scored {health.missing}")
    if health.drift is not None and health.drift.action == "quarantine":
        yield NextAction(f"fix the source: {health.drift.reason}")


def _span(states: Sequence[PartitionState]) -> str:
    first, last = _run_of(states)
    more = f" and {len(states) - ((last - first).days + 1)} more days"
    span = str(first) if first == last else f"{first} to {last}"
    return span + more * (len(states) > (last - first).days + 1)


def _run_of(states: Sequence[PartitionState]) -> tuple[date, date]:
    """The newest unbroken run of days, which matters most."""
    days = [each.day for each in states]
    first = days[-1]
    for day in reversed(days[:-1]):
        if first - day != ONE_DAY:
            break
        first = day
    return first, days[-1]


def _load(states: Sequence[PartitionState], **how: str) -> Run:
    first, last = _run_of(states)
    return "load", {"from_day": str(first), "to_day": str(last), **how}


def _score(states: Sequence[PartitionState]) -> Run:
    """A single day as its schedule runs it, with drift and messages; several at once."""
    first, last = _run_of(states)
    if first == last:
        return "score", {"partition": str(first)}
    return _load(states, work="score again")


def _run(health: Health, shell: Shell, what: str, run: Run) -> NextAction:
    """`what`, by a run of a DAG: in Airflow, or by the command line where that is not reached."""
    verb, conf = run
    begun = what.rstrip(".")  # a reason, which a person reads as a sentence
    if any(dag.verb == verb and dag.running for dag in health.dags or ()):
        name = dag_id(health.detector, verb)
        return NextAction(f"{begun}: a run of {name} is at work; wait for its end")
    # Where the state of a DAG is unknown, unpausing does no harm.
    paused = verb in (STARTING if health.paused is None else health.paused)
    command = shell.start(health.detector, verb, paused=paused, **conf)
    if paused and shell.airflow:
        what = f"{begun}; this lets {verb} run by itself, too"
    return NextAction(what, command)


def _unpause(detector: str, verbs: Sequence[str], shell: Shell) -> str | None:
    if len(verbs) == 1:
        return shell.in_airflow("dags", "unpause", dag_id(detector, verbs[0]))
    every = dag_id(detector, f"({'|'.join(verbs)})")
    arguments = ("dags", "unpause", "--yes", "--treat-dag-id-as-regex", f"^{every}$")
    return shell.in_airflow(*arguments)
