"""`status`: how each detector is doing, on one screen, and what to do next."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.printable import one_line

if TYPE_CHECKING:
    from pipeline.steps.oversight.health import Health

HELP = "Show how each detector is doing, prove that no day was skipped, say what to do next."

_SHOWN = 10
_LABEL_WIDTH = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `status`."""
    parser.add_argument("detectors", nargs="*", metavar="DETECTOR", help="default: all of them")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--proof", action="store_true", help="list every expected day")


def run(arguments: argparse.Namespace) -> int:
    """One screen a detector; 1 if a day was skipped in silence or failed."""
    import logging

    import structlog

    from pipeline import settings
    from pipeline.config import detector_files
    from pipeline.steps.oversight.health import health_of

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    names = arguments.detectors or [path.stem for path in detector_files(settings.load().detectors)]
    found = [health_of(name, now=datetime.now(UTC)) for name in names]
    if arguments.json:
        print(json.dumps([_as_json(health, proof=arguments.proof) for health in found], indent=1))
    else:
        screens = [
            "\n".join(map(one_line, _screen(health, proof=arguments.proof))) for health in found
        ]
        print("\n\n".join(screens) or "No detector files; see PLIMSOLL_DETECTORS.")
    return int(not all(health.healthy for health in found))


def _screen(health: Health, *, proof: bool) -> Iterator[str]:
    from pipeline.steps.oversight.next_action import next_action

    yield f"{health.detector}: {'healthy' if health.healthy else 'NOT HEALTHY'}"
    for label, text in _lines(health):
        yield f"  {label:<{_LABEL_WIDTH}}{text}"
    broken = health.violations
    for each in health.partitions if proof else broken[-_SHOWN:]:
        yield f"    {each.day}  {each.state}{'  ' + each.reason if each.reason else ''}"
    if len(broken) > _SHOWN and not proof:
        yield f"    ... {len(broken) - _SHOWN} earlier ones; --proof lists every day"
    todo = next_action(health)
    yield f"  {'next':<{_LABEL_WIDTH}}{todo.what}"
    if todo.command:
        yield f"  {'':<{_LABEL_WIDTH}}{todo.command}"


def _lines(health: Health) -> Iterator[tuple[str, str]]:
    yield "last scored", str(health.last_scored or "never")
    yield "live", _live(health)
    rates = ", ".join(
        f"{rate:.2%} of rows in {span} days"
        for span, rate in health.alert_rate.items()
        if rate is not None
    )
    yield "alerts", f"{rates or 'none yet'}; budget {health.budget:.2%} of normal rows"
    yield "incidents", f"{health.open_incidents} open in 30 days"
    for each in health.newest:
        since = f"{each.entity} {each.start:%Y-%m-%d %H:%M}".strip()
        peak = f"peak {each.peak:.1f} x threshold"
        yield "", f"{each.id}  {since}  {each.kind}, {peak}, {each.feature}"
    drift = health.drift
    yield "drift", f"{drift.kind} on {drift.day}: {drift.reason}" if drift else "not judged yet"
    yield "muted", ", ".join(health.muted) or "no channel"
    yield "labels", f"{health.labels_waiting} wait, {health.audits_waiting} drawn at random"
    counts = ", ".join(f"{count} {state}" for state, count in health.counts.items())
    skipped = f"{len(health.violations)} VIOLATIONS" if health.violations else "none skipped"
    yield "days", f"{len(health.partitions)} expected: {counts or 'none'}; {skipped}"


def _live(health: Health) -> str:
    live = health.live
    if live is None:
        return "nothing"
    ends = [f"{end:.4g}" if end is not None else "unbounded" for end in (live.low, live.high)]
    line = f"{live.threshold:.4g} ({ends[0]} to {ends[1]})" if live.threshold else "unknown"
    trained = f", on {live.trained_on}" if live.trained_on else ""
    challenger = f"; version {health.challenger} waits" if health.challenger else ""
    return f"version {live.version}, {live.kind}{trained}, threshold {line}{challenger}"


def _as_json(health: Health, *, proof: bool) -> dict[str, object]:
    from pipeline.records import to_json
    from pipeline.steps.oversight.next_action import next_action

    told = to_json(health)
    days = told.pop("partitions")
    return told | {
        "healthy": health.healthy,
        "days": health.counts,
        "violations": [to_json(each) for each in health.violations],
        "next": to_json(next_action(health)),
        **({"partitions": days} if proof else {}),
    }
