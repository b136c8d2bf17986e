"""`status`: the health of each detector on one screen, and what to do next."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pipeline import settings
from pipeline.config import SUFFIX
from pipeline.dag_ids import STARTING, VERBS
from pipeline.errors import ConfigError, DataError, OutageError
from pipeline.monitoring.next_action import next_action
from pipeline.printable import lines, one_line
from pipeline.settings import Deployment
from pipeline.shell import this_shell

if TYPE_CHECKING:
    from pipeline.monitoring.health import Health
    from pipeline.scheduler import Dag
    from pipeline.steps.leftovers import Leftover

HELP = "Show the health of each detector, prove that no day was skipped, say what to do next."

_SHOWN = 10
_OUTSIDE_SHOWN = 3
_LABEL_WIDTH = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `status`."""
    parser.add_argument("detectors", nargs="*", metavar="DETECTOR", help="default: all of them")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--proof",
        action="store_true",
        help="read every file of every day anew, and list every expected day",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one screen per detector; 1 if a day was lost, a threshold broken or a file is wrong."""
    from pipeline.config import detector_files

    here = settings.load()
    settings.refuse_nowhere(here)  # before the libraries, which take seconds

    from pipeline.registry.connection import answering
    from pipeline.steps.leftovers import leftovers

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    names = arguments.detectors or [_name_of(path) for path in detector_files(here.detectors)]
    with answering(here):
        dags = _dags(here)
        found, faults = _examined(here, names, dags, arguments)
        left = [] if arguments.detectors else leftovers(here, now=datetime.now(UTC))
    if arguments.json:
        records = [_as_json(health, proof=arguments.proof) for health in found]
        records += [
            {"detector": name, "healthy": False, "fault": why} for name, why in faults.items()
        ]
        print(json.dumps(records, indent=1))
        for each in left:
            print("\n".join(_leftover(each)), file=sys.stderr)
    else:
        screens = [
            "\n".join(map(one_line, _screen(health, proof=arguments.proof))) for health in found
        ]
        screens += [
            f"{one_line(name)}: NOT HEALTHY\n  {lines(why)}" for name, why in faults.items()
        ]
        screens += ["\n".join(map(one_line, _leftover(each))) for each in left]
        print("\n\n".join(screens) or f"There is no detector file in {here.detectors}.")
    return int(bool(faults) or not all(health.healthy for health in found))


def _examined(
    here: Deployment, names: Sequence[str], dags: list[Dag] | None, arguments: argparse.Namespace
) -> tuple[list[Health], dict[str, str]]:
    """The health of the detectors, and the faults of those that cannot be examined.

    A wrong file does not hide the others, unless its detector was asked for by name.
    """
    from pipeline.steps.health import health_of

    found: list[Health] = []
    faults: dict[str, str] = {}
    now = datetime.now(UTC)
    for name in names:
        try:
            health = health_of(here, name, now=now, dags=dags, from_tables=arguments.proof)
            found.append(_watched(here, health))
        except (ConfigError, DataError) as error:
            if arguments.detectors:
                raise
            faults[name] = str(error)
    return found, faults


def _watched(here: Deployment, health: Health) -> Health:
    """The same, with what the watch says of a fresh version whose threshold does not hold."""
    from pipeline.steps.promotion_watch import watch

    broken = health.broken
    if broken is None or not broken.causes.fresh or health.last_scored is None:
        return health
    said = watch(here, health.detector, health.last_scored.isoformat(), run="status")
    tripped = said["reason"] if said["tripped"] else ""
    causes = replace(broken.causes, tripped=tripped)
    return replace(health, broken=replace(broken, causes=causes))


def _name_of(path: Path) -> str:
    """The detector of a file; for another suffix the file's name, which is then reported."""
    return path.stem if path.suffix == SUFFIX else path.name


def _dags(here: Deployment) -> list[Dag] | None:
    """The DAGs in Airflow; None where Airflow cannot be asked."""
    from pipeline.scheduler import signed_in

    if here.stack is None:
        return None
    try:
        with signed_in(here.stack.airflow) as airflow:
            return airflow.dags()
    except OutageError as error:
        print(f"warning: whether DAGs are paused is not known: {error}", file=sys.stderr)
        return None


def _leftover(left: Leftover) -> Iterator[str]:

    yield f"{left.detector}: no detector file"
    text = f"{', '.join(left.tables)}; {left.open_incidents} incidents without a label"
    yield f"  {'tables':<{_LABEL_WIDTH}}{left.fault or text}"
    yield f"  {'next':<{_LABEL_WIDTH}}put its file back, or say what to do with the tables"
    yield f"  {'':<{_LABEL_WIDTH}}{this_shell(settings.load()).plimsoll('remove', left.detector)}"


def _screen(health: Health, *, proof: bool) -> Iterator[str]:

    yield f"{health.detector}: {'healthy' if health.healthy else 'NOT HEALTHY'}"
    for label, text in _lines(health):
        yield f"  {label:<{_LABEL_WIDTH}}{text}"
    broken = health.violations
    for each in health.partitions if proof else broken[-_SHOWN:]:
        yield f"    {each.day}  {each.state}{'  ' + each.reason if each.reason else ''}"
    if len(broken) > _SHOWN and not proof:
        yield f"    ... {len(broken) - _SHOWN} earlier ones; --proof lists every day"
    todo = next_action(health, this_shell(settings.load()))
    yield f"  {'next':<{_LABEL_WIDTH}}{todo.what}"
    if todo.command:
        yield f"  {'':<{_LABEL_WIDTH}}{todo.command}"


def _lines(health: Health) -> Iterator[tuple[str, str]]:
    yield "last scored", str(health.last_scored or "never")
    yield "live", _live(health)
    for fault in health.faults:
        yield "ledger", fault.what
    if not health.faults:
        yield "ledger", "holds"
    rates = ", ".join(
        f"{rate:.2%} of rows in {span} days"
        for span, rate in health.alert_rate.items()
        if rate is not None
    )
    if health.broken is not None:
        yield "threshold", f"DOES NOT HOLD since {health.broken.beginning}:"
        yield "", f"{health.broken.finding}."
        yield "because of", f"{health.broken.because}."
    yield "alerts", f"{rates or 'none yet'}; budget {health.budget:.2%} of normal rows"
    yield "incidents", f"{health.open_incidents} open in 30 days"
    for each in health.newest:
        since = f"{each.entity} {each.start:%Y-%m-%d %H:%M}".strip()
        peak = f"peak {each.peak:.1f} x threshold"
        yield "", f"{each.id}  {since}  {each.kind}, {peak}, {each.channel}"
    yield from _cases(health)
    drift = health.drift
    yield "drift", f"{drift.kind} on {drift.day}: {drift.reason}" if drift else "not judged yet"
    yield "muted", ", ".join(health.muted) or "no channel"
    if health.missing:
        yield "missing", f"on {health.last_scored}: scored {health.missing}"
    yield (
        "labels",
        f"{health.labels_waiting} wait, {health.audits_waiting} of them sampled at random",
    )
    if health.dags is not None:
        yield "Airflow", _airflow(health)
    counts = ", ".join(f"{count} {state}" for state, count in health.counts.items())
    skipped = f"{len(health.violations)} VIOLATIONS" if health.violations else "none skipped"
    yield "days", f"{len(health.due)} expected: {counts or 'none'}; {skipped}"
    if health.outside:
        some = ", ".join(f"{each.day} ({each.reason})" for each in health.outside[:_OUTSIDE_SHOWN])
        more = f" and {len(health.outside) - _OUTSIDE_SHOWN} more" * (
            len(health.outside) > _OUTSIDE_SHOWN
        )
        yield "", f"{len(health.outside)} outside the schedule, not expected:"
        yield "", f"{some}{more}"


def _cases(health: Health) -> Iterator[tuple[str, str]]:
    """The number of open cases, the oldest one, and the command that answers it."""
    if not health.open_cases:
        yield "cases", "none open"
        return
    first = health.open_cases[0]
    where = ", ".join(first.machines) or health.detector
    yield "cases", f"{len(health.open_cases)} open; the oldest:"
    yield "", f"{first.id}  {where} since {first.start:%Y-%m-%d %H:%M}  {first.kind}: {first.why}"
    words = ("--answer", first.id, "was a fault", "--reason", "...")
    yield "", this_shell(settings.load()).plimsoll("cases", health.detector, *words)


def _airflow(health: Health) -> str:
    """The paused DAGs, and the number of runs that wait for them."""
    paused = health.paused or ()
    if not health.dags:
        return "it has no DAG of this detector yet"
    if not paused:
        return "every DAG is active"
    text = f"paused: {', '.join(sorted(paused, key=VERBS.index))}"
    if set(paused) <= set(STARTING):
        text = f"{text}, until you unpause them; the others are active"
    queued = [f"{dag.waiting} of {dag.verb}" for dag in health.dags if dag.paused and dag.waiting]
    return text + (f"; runs that wait for that: {', '.join(queued)}" if queued else "")


def _live(health: Health) -> str:
    live = health.live
    if live is None:
        return "nothing"
    ends = [f"{end:.4g}" if end is not None else "unbounded" for end in (live.low, live.high)]
    threshold = f"{live.threshold:.4g} ({ends[0]} to {ends[1]})" if live.threshold else "unknown"
    trained = f", on {live.trained_on}" if live.trained_on else ""
    challenger = f"; version {health.challenger} waits" if health.challenger else ""
    text = f"version {live.version}, {live.kind}{trained}, threshold {threshold}{challenger}"
    return f"{text}; {live.provisional}" if live.provisional else text


def _as_json(health: Health, *, proof: bool) -> dict[str, object]:
    from pipeline.records import to_json

    content = to_json(health)
    days = content.pop("partitions")
    return content | {
        "healthy": health.healthy,
        "days": health.counts,
        "missing": health.missing,
        "violations": [to_json(each) for each in health.violations],
        "next": to_json(next_action(health, this_shell(settings.load()))),
        **({"partitions": days} if proof else {}),
    }
