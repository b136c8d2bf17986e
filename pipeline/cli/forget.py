"""`forget`: take a day back that nobody wanted."""

from __future__ import annotations

import argparse
import getpass
from datetime import UTC, datetime

from pipeline.errors import DataError

HELP = "Take a day back that nobody wanted: it counts no more. Shows first what goes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `forget`."""
    parser.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    parser.add_argument("day", metavar="DAY", help="2026-11-29, a UTC day")
    parser.add_argument("--reason", default="", help="why; kept for whoever asks later")
    parser.add_argument("--author", help="who says so; the login name by default")
    parser.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")


def run(arguments: argparse.Namespace) -> int:
    """Tell what goes; with --yes and a reason, do it."""
    import logging

    import structlog

    from pipeline import settings

    settings.refuse_nowhere(settings.load())  # before the libraries, which take seconds

    from pipeline.data.grid import as_day
    from pipeline.shell import this_shell
    from pipeline.steps.oversight.forgetting import forget, plan_forgetting

    # What the events say is printed below, in words.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    day, now = as_day(arguments.day), datetime.now(UTC)
    planned = plan_forgetting(arguments.detector, day, now=now)
    reason = str(arguments.reason).strip()
    if arguments.yes:
        if not reason:
            msg = "no reason is given; add --reason with one sentence, it is kept with the day."
            raise DataError(msg)
        forget(planned, reason, arguments.author or getpass.getuser(), now=now)
    held = ", ".join(f"{count:,} rows of {name}" for name, count in planned.rows.items())
    done = "is taken back" if arguments.yes else "would be taken back; nothing is changed yet"
    print(f"{planned.detector} {day} {done}: its record{f', {held}' if held else ''}.")
    if planned.expected:
        print("The schedule expects this day: it counts as never ingested until it is again.")
    if not arguments.yes:
        words = (
            "forget",
            planned.detector,
            str(day),
            "--reason",
            reason or "nobody wanted this day",
            "--yes",
        )
        print(f"To do it: {this_shell().plimsoll(*words)}")
    return 0
