"""How a command writes its log: for a person, or with --log json for whoever collects logs."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

from pipeline import log_context
from pipeline.printable import lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every command takes."""
    parser.add_argument(
        "--log",
        choices=("text", "json"),
        default="text",
        help="form of warnings and errors; json: one object a line, on stderr",
    )


def about(arguments: argparse.Namespace) -> AbstractContextManager[None]:
    """Inside, each line says which command wrote it, and about which detector."""
    named = getattr(arguments, "detector", None) or ""
    detector = named.stem if isinstance(named, Path) else str(named)
    return log_context.about(detector=detector, run=f"cli/{arguments.command}/{uuid4().hex[:8]}")


def configure(form: str) -> None:
    """Let each line be one JSON object on stderr, those of libraries too, where `form` is json."""
    if form != "json":
        return
    import structlog

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


def tell_failure(form: str, text: str) -> None:
    """Say why the command could not do it."""
    if form == "json":
        import structlog

        structlog.get_logger().error("command_failed", reason=text)
    else:
        print(f"error: {lines(text)}", file=sys.stderr)
