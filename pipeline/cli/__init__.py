"""The command line. A command is a module with HELP, `add_arguments` and `run`, see COMMANDS."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, cast

from pipeline.cli import log_lines
from pipeline.errors import PlimsollError

_ABOUT = "Watch machines: fit detectors of anomalies, calibrate, judge and run them."
_CODES = (
    "Exit codes: 0 done; 1 the answer is no, or something is blocked, failed or not scored; 2 it "
    "could not be done, and one message says why and what to do; 3 scored, and the flags of the "
    "file cannot be trusted. docs/command-line.md has more."
)

COMMANDS = (
    "cases", "channel", "check", "fit", "forget", "label", "ledger", "metrics", "remove", "run",
    "score", "status", "tune",
)  # fmt: skip


class Command(Protocol):
    """The interface of a command's module."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command; return the exit code."""


def main(argv: Sequence[str]) -> int:
    """Run the command that `argv` names; return the exit code."""
    parser = _parser(argv)
    arguments = parser.parse_args(argv, argparse.Namespace(started=datetime.now(UTC)))
    log_lines.configure(arguments.log)
    with log_lines.about(arguments):
        try:
            return _module(arguments.command).run(arguments)
        except PlimsollError as error:
            log_lines.report_failure(arguments.log, str(error))
        except OSError as error:
            # A full disk or a forbidden folder; every other failure is a bug and shows its
            # traceback.
            where = f"{error.filename}: " if error.filename else ""
            log_lines.report_failure(arguments.log, f"{where}{error.strerror or error}")
    return 2


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=_ABOUT, epilog=_CODES)
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    # Only the requested command is imported: the libraries of the others cost seconds.
    requested = [name for name in argv[:1] if name in COMMANDS]
    for name in requested or COMMANDS:
        module = _module(name)
        command = choices.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        log_lines.add_arguments(command)
    return parser


def _module(name: str) -> Command:
    return cast("Command", importlib.import_module(f"pipeline.cli.{name}"))
