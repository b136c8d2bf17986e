"""The one thing to do next about a detector: what is most urgent, as a command. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.steps.oversight.health import Health
    from pipeline.steps.oversight.status import PartitionState

NOTHING = "nothing: all is well"


@dataclass(frozen=True)
class NextAction:
    """What to do, why, and how; `command` is empty where there is nothing to run."""

    what: str
    command: str = ""


def next_action(health: Health) -> NextAction:
    """The most urgent of all that `health` asks for."""
    return next(_wanted(health), NextAction(NOTHING))


def _wanted(health: Health) -> Iterator[NextAction]:
    """All that there is to do, most urgent first: what is live, what was lost, what is open."""
    name = health.detector
    if health.unfinished_rollback:
        left = ", ".join(str(version) for version in health.unfinished_rollback)
        yield NextAction(
            f"finish the rollback of version {left}: days that it scored await their new scores",
            _trigger(name, "rollback", target="previous", reason="finish the rollback"),
        )
    yield from _days(health)
    if health.live is None and any(health.counts.get(state) for state in ("scored", "waiting")):
        yield NextAction("train the first version", _trigger(name, "train"))
    yield from _judgements(health)
    yield from _answers(health)
    if health.not_loaded:
        first, last = health.not_loaded
        yield NextAction(
            f"load the rest of the history, {first} to {last}",
            _trigger(name, "load", from_day=str(first), to_day=str(last)),
        )


def _days(health: Health) -> Iterator[NextAction]:
    """What days without a settled state, and failed days, ask for."""
    name, states = health.detector, health.partitions
    missing = [each for each in states if each.state == "missing"]
    if missing:
        yield NextAction(f"ingest {_span(missing)}, which nobody ever tried", _load(name, missing))
    odd = [each for each in states if each.state == "contradictory"]
    if odd:
        yield NextAction(
            f"look into {_span(odd)}: {odd[0].reason}", f"python -m pipeline status {name} --proof"
        )
    waiting = [each for each in states if each.state == "waiting"]
    if waiting and health.live is not None:
        yield NextAction(f"score {_span(waiting)}", _score(name, waiting))
    failed = [each for each in states if each.state == "failed"]
    scoring = [each for each in failed if each.reason.startswith("scoring: ")]
    if failed:
        chosen, again = (scoring, _score) if scoring else (failed, _load)
        yield NextAction(
            f"mend and run again {_span(chosen)}: {chosen[-1].reason}", again(name, chosen)
        )


def _judgements(health: Health) -> Iterator[NextAction]:
    """What the drift verdict, a waiting challenger and shifted channels ask for."""
    name = health.detector
    if health.drift is not None and health.drift.action in ("retrain", "recalibrate"):
        verb = {"retrain": "train"}.get(health.drift.action, health.drift.action)
        yield NextAction(f"{verb}: {health.drift.reason}", _trigger(name, verb))
    if health.challenger is not None and health.approval == "human":
        yield NextAction(
            f"approve or reject version {health.challenger}: its promotion card is in MLflow, the "
            f"question under Required Actions of {name}__train in Airflow"
        )
    if health.muted:
        channel, _, where = health.muted[0].partition(" on ")
        yield NextAction(
            f"decide about {', '.join(health.muted)}, which left its training range",
            f"python -m pipeline feature {name} accept|mute|unmute {channel}"
            + f" --entity {where}" * bool(where),
        )


def _answers(health: Health) -> Iterator[NextAction]:
    """What waits for a person's verdict, drawn episodes first: each of them stands for many."""
    listed = f"python -m pipeline label {health.detector} --list"
    if health.audits_waiting:
        yield NextAction(f"label the {health.audits_waiting} episodes drawn at random", listed)
    if health.open_incidents:
        yield NextAction(f"say what the {health.open_incidents} open incidents were", listed)
    if health.drift is not None and health.drift.action == "quarantine":
        yield NextAction(f"mend the source: {health.drift.reason}")


def _span(states: Sequence[PartitionState]) -> str:
    first, last = _run_of(states)
    more = f" and {len(states) - ((last - first).days + 1)} more days"
    span = str(first) if first == last else f"{first} to {last}"
    return span + more * (len(states) > (last - first).days + 1)


def _run_of(states: Sequence[PartitionState]) -> tuple[date, date]:
    """The newest unbroken run of days: what is run again first is what matters most today."""
    days = [each.day for each in states]
    first = days[-1]
    for day in reversed(days[:-1]):
        if first - day != timedelta(days=1):
            break
        first = day
    return first, days[-1]


def _load(detector: str, states: Sequence[PartitionState], **how: str) -> str:
    first, last = _run_of(states)
    return _trigger(detector, "load", from_day=str(first), to_day=str(last), **how)


def _score(detector: str, states: Sequence[PartitionState]) -> str:
    """A single day as its schedule would, with drift and messages; more of them at once."""
    first, last = _run_of(states)
    if first == last:
        return _trigger(detector, "score", partition=str(first))
    return _load(detector, states, work="score again")


def _trigger(detector: str, verb: str, **conf: str) -> str:
    given = ", ".join(f'"{key}": "{value}"' for key, value in conf.items())
    return f"airflow dags trigger {detector}__{verb}" + f" --conf '{{{given}}}'" * bool(conf)
