"""`remove`: delete a detector with its DAGs and, on request, its tables."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pipeline import settings
from pipeline.settings import Deployment
from pipeline.shell import this_shell

if TYPE_CHECKING:
    from pipeline.steps.removing import Removal

HELP = (
    "Remove a detector: its file, its DAGs and, on request, its tables. Shows first what would be "
    "removed."
)

_FATES = {
    "keep": "stay where they are",
    "archive": "are moved to",
    "delete": "are deleted for good, with the labels that people gave",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `remove`."""
    parser.add_argument("detector", metavar="DETECTOR", help="its name, with or without a file")
    parser.add_argument(
        "--tables",
        choices=tuple(_FATES),
        default="keep",
        help="what happens to its tables, except the ledger; default: %(default)s",
    )
    parser.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")


def run(arguments: argparse.Namespace) -> int:
    """Print what would be removed and what stays; with --yes, remove it."""
    from pipeline.steps.removing import plan_removal, remove

    # The content of the log event is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    here = settings.load()
    settings.refuse_nowhere(here)
    planned = plan_removal(here, arguments.detector, arguments.tables, now=datetime.now(UTC))
    done = bool(arguments.yes)
    if done:
        remove(here, planned)
    print(
        f"{planned.detector}: {'removed' if done else 'would be removed; nothing is changed yet'}"
    )
    for line in _lines(here, planned, done=done):
        print(f"  {line}")
    return 0


def _lines(here: Deployment, planned: Removal, *, done: bool) -> Iterator[str]:
    from pipeline.steps.removing import orphan_dags

    shell = this_shell(here)
    gone = "its file is gone already"
    yield f"file     {planned.file}: kept as a copy in {planned.archive}" if planned.file else gone
    if planned.dags is None:
        yield "DAGs     Airflow cannot be asked from here. They leave its pages within a minute of"
        yield "         the file; this deletes what it remembers of their runs, too:"
        for name in orphan_dags(planned.detector):
            yield f"         {shell.in_airflow('dags', 'delete', '--yes', name) or name}"
    else:
        held = ", ".join(planned.dags) or "none"
        yield f"DAGs     {held}: deleted from Airflow, with what it remembers of their runs"
    if planned.folders:
        target = f" {planned.archive}" if planned.fate == "archive" else ""
        yield f"tables   {', '.join(planned.folders)}: {_FATES[planned.fate]}{target}"
    stays = "the ledger and " if planned.ledger else ""
    yield f"stays    {stays}the versions in MLflow, under the name {planned.detector}"
    if not done:
        command = ("remove", planned.detector, "--tables", planned.fate, "--yes")
        yield f"to do it {shell.plimsoll(*command)}"
        if planned.folders and planned.fate == "keep":
            yield "         or with --tables archive, or --tables delete"
