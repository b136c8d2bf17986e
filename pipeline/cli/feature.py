"""`feature`: decide about a channel that left its training range."""

from __future__ import annotations

import argparse
import getpass
from datetime import UTC, datetime

HELP = "Accept, mute or un-mute a channel that left its training range."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `feature`."""
    parser.add_argument("detector", metavar="DETECTOR", help="name of a detector file")
    parser.add_argument(
        "decision",
        choices=("accept", "mute", "unmute"),
        help="accept: its new level is normal; mute: leave it out of the score until un-muted; "
        "unmute: judge it whatever it shows",
    )
    parser.add_argument("channel", metavar="CHANNEL", help="as the detector file calls it")
    parser.add_argument("--entity", metavar="NAME", help="one machine; without it all of them")
    parser.add_argument(
        "--since", metavar="TIME", help="2014-05-01T10:20Z, or a day (UTC); today by default"
    )
    parser.add_argument("--note", default="", help="why; kept with the decision")
    parser.add_argument("--author", help="who decides; the login name by default")


def run(arguments: argparse.Namespace) -> int:
    """Record the decision; says from when it counts."""
    import logging

    import structlog

    from pipeline.steps.people.answers import Signature
    from pipeline.steps.people.deciding import decide

    # What the event says is printed below, in words.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    told = decide(
        arguments.detector,
        arguments.channel,
        arguments.decision,
        Signature(arguments.author or getpass.getuser(), datetime.now(UTC)),
        entity=arguments.entity,
        since=arguments.since,
        note=arguments.note,
    )
    where = told["entity"] or "every machine"
    print(
        f"{told['decision']} {told['channel']} of {where} since {told['since']}, "
        f"says {told['author']}; counts when these rows are scored, or scored again."
    )
    return 0
