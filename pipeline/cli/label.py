"""`label`: record a verdict on a span of time or an incident."""

from __future__ import annotations

import argparse
import getpass
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pipeline import settings
from pipeline.errors import DataError
from pipeline.printable import one_line
from pipeline.shell import this_shell

if TYPE_CHECKING:
    from pipeline.steps.waiting_labels import Waiting

HELP = "Label a span of time or an incident, or list the episodes that wait for a label."

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `label`."""
    parser.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    parser.add_argument(
        "--list", action="store_true", help="show labels and the episodes that wait for one"
    )
    parser.add_argument("--incident", metavar="ID", help="as its notification shows it")
    parser.add_argument("--start", metavar="TIME", help="2014-05-01T10:20Z, or a day (UTC)")
    parser.add_argument("--end", metavar="TIME", help="included; a day means its last moment")
    parser.add_argument("--entity", metavar="NAME", help="one machine; without it all of them")
    parser.add_argument("--verdict", choices=("incident", "normal"))
    parser.add_argument("--note", default="", help="why; kept with the label")
    parser.add_argument("--author", help="your name; the login name by default")


def run(arguments: argparse.Namespace) -> int:
    """Record the label or show the list; print what the label covers and from when it counts."""
    settings.refuse_nowhere(settings.load())  # before the libraries, which take seconds

    from pipeline.data.label_request import Author, LabelRequest
    from pipeline.steps import labelling
    from pipeline.steps.waiting_labels import waiting

    # The content of the log events is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    now = datetime.now(UTC)
    if arguments.list:
        _show(arguments.detector, waiting(settings.load(), arguments.detector, now=now))
        return 0
    if arguments.verdict is None:
        msg = "no verdict is given; add --verdict incident or --verdict normal, or use --list."
        raise DataError(msg)
    answer = LabelRequest(
        verdict=arguments.verdict,
        note=arguments.note,
        incident=arguments.incident,
        start=arguments.start,
        end=arguments.end,
        entity=arguments.entity,
    )
    by = Author(arguments.author or getpass.getuser(), now)
    recorded = labelling.label(settings.load(), arguments.detector, answer, by)
    changed = f", {recorded['overruled']:,} of them against an earlier label" * bool(
        recorded["overruled"]
    )
    text = (
        f"{recorded['entity'] or 'every machine'}, {recorded['start']} to {recorded['end']}: "
        f"{recorded['verdict']}, says {recorded['author']}; {recorded['rows']:,} rows{changed}."
    )
    print(one_line(text))
    print(f"Training and recalibration use it with an as-of day from {recorded['counts_from']} on.")
    return 0


def _show(detector: str, found: Waiting) -> None:

    sampled = [f"{a.incident}  {_span(a.start, a.end)}  {a.entity}" for a in found.audits]
    open_ones = [
        f"{i.id}  {_span(i.start, i.end)}  {i.entity}  {i.rows} rows, peak {i.peak:.1f} x threshold"
        for i in found.incidents
    ]
    labels = [
        f"{each.verdict:<8}  {_span(each.start, each.end)}  {each.entity or 'every machine'}  "
        f"{each.author}, {each.created_at:%Y-%m-%d %H:%M}  {each.note}".rstrip()
        for each in found.labels
    ]
    _section("Sampled at random, label these first: each represents many", sampled)
    _section("Incidents without a label", open_ones)
    _section("Labels; where two overlap the later one counts", labels)
    if sampled or open_ones:
        # The last one of its section: the newest of those to be answered first.
        first = found.audits[-1].incident if found.audits else found.incidents[-1].id
        shell = this_shell(settings.load())
        print(f"Answer, {first} for instance: an incident, or a false alarm (normal)")
        for verdict in ("incident", "normal"):
            command = ("label", detector, "--incident", first, "--verdict", verdict)
            print(f"  {shell.plimsoll(*command)}")


def _section(title: str, lines: list[str]) -> None:
    print(f"{title}: {len(lines)}")
    if len(lines) > _SHOWN:
        print(f"  ... {len(lines) - _SHOWN} older ones")
    for line in lines[-_SHOWN:]:
        print(f"  {one_line(line)}")


def _span(start: datetime, end: datetime) -> str:
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {last}"
