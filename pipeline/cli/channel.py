"""`channel`: decide about a channel that left its training range."""

from __future__ import annotations

import argparse
import getpass
import logging
from datetime import UTC, datetime

import structlog

from pipeline import settings
from pipeline.errors import DataError
from pipeline.shell import this_shell

HELP = "Accept, mute or un-mute a channel that left its training range, or list those that did."

_MEANINGS = {
    "accept": "its new level is normal",
    "mute": "leave it out of the score until somebody un-mutes it",
    "unmute": "score it, whatever it shows",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `channel`."""
    parser.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    parser.add_argument("--list", action="store_true", help="show what is muted, and how to answer")
    parser.add_argument(
        "decision",
        nargs="?",
        choices=("accept", "mute", "unmute"),
        help="accept: its new level is normal; mute: leave it out of the score until un-muted; "
        "unmute: judge it whatever it shows",
    )
    parser.add_argument(
        "channel", nargs="?", metavar="CHANNEL", help="as the detector file calls it"
    )
    parser.add_argument("--entity", metavar="NAME", help="one machine; without it all of them")
    parser.add_argument(
        "--since", metavar="TIME", help="2014-05-01T10:20Z, or a day (UTC); today by default"
    )
    parser.add_argument("--note", default="", help="why; kept with the decision")
    parser.add_argument("--author", help="who decides; the login name by default")


def run(arguments: argparse.Namespace) -> int:
    """Record the decision or show the list; print from when a decision counts."""
    settings.refuse_nowhere(settings.load())  # before the libraries, which take seconds

    from pipeline.data.label_request import Author
    from pipeline.steps.channel_decision import record_decision

    # The content of the log event is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if arguments.list:
        _show(arguments.detector)
        return 0
    if arguments.decision is None or arguments.channel is None:
        msg = "no decision about a channel is given; add accept, mute or unmute and the channel, "
        raise DataError(msg + "or use --list.")
    recorded = record_decision(
        settings.load(),
        arguments.detector,
        arguments.channel,
        arguments.decision,
        Author(arguments.author or getpass.getuser(), datetime.now(UTC)),
        entity=arguments.entity,
        since=arguments.since,
        note=arguments.note,
    )
    where = recorded["entity"] or "every machine"
    print(
        f"{recorded['decision']} {recorded['channel']} of {where} since {recorded['since']}, "
        f"says {recorded['author']}; counts when these rows are scored, or scored again."
    )
    return 0


def _show(detector: str) -> None:
    """Every channel that is muted, with the commands that decide about it."""
    from pipeline.data.decision import newest_about
    from pipeline.steps.candidate import detector_named
    from pipeline.steps.open_items import muted_channels, shifted_since
    from pipeline.store.decisions import decisions_as_of

    here = settings.load()
    shell = this_shell(here)
    found = muted_channels(here, detector_named(here, detector).name)
    began = shifted_since(here, detector)
    decisions = decisions_as_of(here, detector, datetime.now(UTC))
    print(f"Muted on the newest scored day: {len(found)}")
    for channel, entity in found:
        machine = [f"--entity={entity}"] if entity else []
        print(f"  {channel}{f' on {entity}' if entity else ''}")
        said = newest_about(decisions, channel, entity)
        if said is not None:
            when = f"{said.created_at:%Y-%m-%d %H:%M} UTC"
            print(f"    {said.decision}, says {said.author} on {when}; days scored since obey it")
        start = began.get((channel, entity))
        # From its first row on, as its rows of before today would stay an open case.
        level = [f"--since={start:%Y-%m-%dT%H:%MZ}"] if start else []
        for decision, meaning in _MEANINGS.items():
            words = (decision, channel, *machine, *(level if decision == "accept" else ()))
            print(f"    {meaning}:")
            print(f"      {shell.plimsoll('channel', detector, *words)}")
