"""`forget`: take a day back that was ingested by mistake."""

from __future__ import annotations

import argparse
import getpass
import logging
from datetime import UTC, datetime

import structlog

from pipeline import settings
from pipeline.errors import DataError
from pipeline.shell import this_shell

HELP = "Take back a day that was ingested by mistake. Shows first what would be removed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `forget`."""
    parser.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    parser.add_argument("day", metavar="DAY", help="2026-11-29, a UTC day")
    parser.add_argument("--reason", default="", help="why; kept on record")
    parser.add_argument("--author", help="your name; the login name by default")
    parser.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")


def run(arguments: argparse.Namespace) -> int:
    """Print what would be removed; with --yes and a reason, remove it."""
    settings.refuse_nowhere(settings.load())  # before the libraries, which take seconds

    from pipeline.data.grid import as_day
    from pipeline.steps.forgetting import forget, plan_forgetting

    # The content of the log events is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    day, now = as_day(arguments.day), datetime.now(UTC)
    planned = plan_forgetting(settings.load(), arguments.detector, day, now=now)
    reason = str(arguments.reason).strip()
    if arguments.yes:
        if not reason:
            msg = "no reason is given; add --reason with one sentence, it is kept with the day."
            raise DataError(msg)
        forget(settings.load(), planned, reason, arguments.author or getpass.getuser(), now=now)
    held = ", ".join(f"{count:,} rows of {name}" for name, count in planned.rows.items())
    done = "is taken back" if arguments.yes else "would be taken back; nothing is changed yet"
    print(f"{planned.detector} {day} {done}: its record{f', {held}' if held else ''}.")
    if planned.expected:
        print("The schedule expects this day: it counts as never ingested until it is again.")
    if not arguments.yes:
        command = (
            "forget",
            planned.detector,
            str(day),
            "--reason",
            reason or "ingested by mistake",
            "--yes",
        )
        print(f"To do it: {this_shell(settings.load()).plimsoll(*command)}")
    return 0
