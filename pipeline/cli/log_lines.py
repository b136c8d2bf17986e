"""The log of a command: text for a person, or with --log json for a log collector."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import fill
from uuid import uuid4

import structlog

from pipeline import log_context
from pipeline.dag_ids import command_line_run
from pipeline.printable import lines

_LOUD = 90  # characters of a line


def add_arguments(parser: argparse.ArgumentParser, *, default: str = "text") -> None:
    """Declare the arguments that every command has."""
    parser.add_argument(
        "--log",
        choices=("text", "json"),
        default=default,
        help="form of warnings and errors; json: one object per line, on stderr",
    )


def about(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """A context in which each log line has the command and the detector."""
    named = getattr(arguments, "detector", None) or ""
    detector = named.stem if isinstance(named, Path) else str(named)
    return log_context.about(detector=detector, run=_run_of(arguments, detector))


def _run_of(arguments: argparse.Namespace, detector: str) -> str:
    """The name of this call: that of the tables and the ledger where it does what a DAG does."""
    if arguments.command == "run":
        return command_line_run(detector, arguments.step, arguments.started)
    return f"cli/{arguments.command}/{uuid4().hex[:8]}"


def configure(form: str) -> None:
    """Log JSON objects to stderr, also for libraries, where `form` is json."""
    if form != "json":
        return

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.dict_tracebacks,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries], force=True)


def report_broken_threshold(form: str, text: str) -> None:
    """Print or log, louder than a warning, that the flags cannot be trusted."""
    if form == "json":
        structlog.get_logger().error("threshold_does_not_hold", reason=text)
    else:
        rule = "!" * _LOUD
        print(f"{rule}\n{lines(fill(text, _LOUD))}\n{rule}", file=sys.stderr)


def report_failure(form: str, text: str) -> None:
    """Print or log why the command failed."""
    if form == "json":
        structlog.get_logger().error("command_failed", reason=text)
    else:
        print(f"error: {lines(text)}", file=sys.stderr)
