"""The message that the threshold does not hold, in place of single ones, and that it does again."""

from __future__ import annotations

from datetime import date

from pipeline.config import DetectorSpec
from pipeline.monitoring.broken_threshold import BrokenThreshold
from pipeline.monitoring.next_action import NextAction
from pipeline.monitoring.notice import NO_VERSION, Notice
from pipeline.shell import Shell

BROKEN = "threshold does not hold"
"""Kind of the message that takes the place of single ones."""

HOLDS_AGAIN = "threshold holds again"
"""Kind of the message after it."""


def broken_of(
    spec: DetectorSpec,
    broken: BrokenThreshold,
    day: date,
    todo: NextAction,
    shell: Shell,
    *,
    held: int,
) -> Notice:
    """The message: since when, because of what, what to do, and which messages are not sent.

    `held` incidents have begun since and get no message of their own.
    """
    since = broken.beginning
    return Notice(
        detector=spec.name,
        incident=broken.id,
        kind=BROKEN,
        entity="",
        day=day.isoformat(),
        version=broken.version,
        subject=f"{spec.name}: the threshold does not hold since {since}",
        text="\n".join(
            [
                f"The threshold does not hold since {since}: {broken.finding}.",
                f"Because of: {broken.because}.",
                f"Do: {todo.what}.",
                *([todo.command] if todo.command else []),
                f"No message of a single anomaly is sent until the share is back. {_begun(held)}",
                "since then; the table and the pages have them as ever:",
                shell.plimsoll("label", spec.name, "--list"),
                "Messages of shifted sensors, regimes, degradations and open cases go on.",
            ]
        ),
    )


def holds_again_of(spec: DetectorSpec, told: str, day: date, shell: Shell, *, held: int) -> Notice:
    """The message that single incidents are told again; `told` is the id of the message before.

    `held` incidents got no message of their own.
    """
    return Notice(
        detector=spec.name,
        incident=f"end of {told}",
        kind=HOLDS_AGAIN,
        entity="",
        day=day.isoformat(),
        version=NO_VERSION,
        subject=f"{spec.name}: the threshold holds again",
        text="\n".join(
            [
                f"The share of flagged rows was inside the promise for two days up to {day}.",
                f"Single incidents are told again. {_begun(held)} meanwhile, without a message:",
                shell.plimsoll("label", spec.name, "--list"),
            ]
        ),
    )


def _begun(number: int) -> str:
    return "1 incident has begun" if number == 1 else f"{number} incidents have begun"
