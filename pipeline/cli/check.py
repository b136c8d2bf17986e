"""`check`: is a detector file right?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "Check detector files and name every mistake."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `check`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.yaml")


def run(arguments: argparse.Namespace) -> int:
    """One line a file that is right, all mistakes of the others; 1 if there were any."""
    from pipeline.config import load_detector, readable_name
    from pipeline.errors import ConfigError

    mistaken = False
    for path in arguments.files:
        try:
            spec = load_detector(readable_name(path))
        except ConfigError as error:
            mistaken = True
            print(error, file=sys.stderr)
        else:
            features = len(spec.columns.feature_columns)
            print(f"OK {_printable(path)}: {spec.name}, {features} features, {spec.model.family}")
    return int(mistaken)


def _printable(path: Path) -> str:
    """A path as text, even one whose bytes are no UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()
