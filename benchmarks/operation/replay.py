"""Two real years: false alarms, worst month and outages hit, for Plimsoll and each opponent."""

from __future__ import annotations

from benchmarks.operation.rows import Row
from benchmarks.replay.replaying import PLIMSOLL, replay
from benchmarks.replay.tally import Tally

OVERALL = (0.008, 0.013)
WORST = 0.025
HIT = 0.97


def measure() -> list[Row]:
    """Three numbers for each policy; only Plimsoll has requirements."""
    replayed = replay(None, lambda _: None)
    return [row for each in replayed.tallies for row in _rows(each)]


def _rows(each: Tally) -> list[Row]:
    ours = each.policy == PLIMSOLL
    low, high = OVERALL
    share = each.hit / max(1, each.outages)
    return [
        Row(
            "replay",
            f"{each.policy}: false alarms {low:.1%}-{high:.1%}",
            f"{each.rate:.2%}",
            low <= each.rate <= high if ours else None,
        ),
        Row(
            "replay",
            f"{each.policy}: any month after the first recalibration <= {WORST:.1%}",
            f"{each.worst.rate:.1%}",
            each.worst.rate <= WORST if ours else None,
            each.worst.month,
        ),
        Row(
            "replay",
            f"{each.policy}: outages hit >= {HIT:.0%}",
            f"{share:.1%}",
            share >= HIT if ours else None,
            f"{each.hit} of {each.outages}",
        ),
    ]
