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
    return "\n".join(each.format_help() for each in (parser, *_steps(parser)))


def _steps(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of a command's own steps, in their order."""
    choices = [a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 - argparse tells it in no other way
    return [step for each in choices for step in each.values()]
