"""`check`: validate detector files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline import settings
from pipeline.errors import ConfigError
from pipeline.printable import lines, one_line

HELP = "Check detector files and name every mistake."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `check`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Print one line per valid file, all mistakes of the others; 1 if there were any.

    A valid file that does not fit its tables or its live version has a line for each difference,
    and counts as a mistake, as somebody must act.
    """
    from pipeline.config import load_detector, readable_name
    from pipeline.steps.changed_file import compared

    mistaken = False
    for path in arguments.files:
        try:
            spec = load_detector(readable_name(path))
        except ConfigError as error:
            mistaken = True
            print(lines(str(error)), file=sys.stderr)
        else:
            features = len(spec.columns.feature_columns)
            past = compared(settings.load(), spec)
            mistaken |= bool(past.misfits)
            for line in past.misfits:
                print(one_line(f"{path}: does not fit its past: {line}"), file=sys.stderr)
            for line in past.remarks:
                print(one_line(f"{path}: {line}"), file=sys.stderr)
            if not past.misfits:
                what = f"{spec.name}, {features} features, {spec.model.family}"
                print(one_line(f"OK {path}: {what}"))
    return int(mistaken)
