"""The output of `python -m pipeline COMMAND --help` for each command."""

from __future__ import annotations

import argparse
import importlib
from functools import partial
from typing import cast

from pipeline.cli import COMMANDS, Command, log_lines

_WIDTH = 100


def blocks() -> dict[str, str]:
    """The generated parts of `docs/command-line.md`, one for each command."""
    return {name: f"```\n{_help(name)}```" for name in COMMANDS}


def _help(name: str) -> str:
    command = cast("Command", importlib.import_module(f"pipeline.cli.{name}"))
    parser = argparse.ArgumentParser(
        prog=f"python -m pipeline {name}",
        description=command.HELP,
        formatter_class=partial(argparse.HelpFormatter, width=_WIDTH),
    )
    command.add_arguments(parser)
    log_lines.add_arguments(parser)
    return parser.format_help()
