"""What is missing of a day: which channel of which machine, since when, and by which rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd


@dataclass(frozen=True)
class MissingChannel:
    """Cells of one channel of a machine that broke one rule on one day.

    Attributes:
        channel: which one.
        entity: the machine; empty where there is one.
        rule: that the cells broke.
        cells: how many, in rows that are telemetry all the same.
        first: time of the first of them, UTC.
        last: time of the last.
        detail: of the first, in words.
    """

    channel: str
    entity: str
    rule: str
    cells: int
    first: datetime
    last: datetime
    detail: str


_NAMED = 3


def missing_text(missing: Sequence[MissingChannel]) -> str:
    """`flow of b (stuck sensor, 14 rows), ...`: what is missing, most rows first."""
    named = [
        f"{each.channel}{f' of {each.entity}' if each.entity else ''} "
        f"({each.rule.replace('_', ' ')}, {each.cells:,} rows)"
        for each in missing[:_NAMED]
    ]
    rest = len(missing) - _NAMED
    return ", ".join(named) + (f" and {rest} more" if rest > 0 else "")


def missing_channels(cells: pd.DataFrame) -> tuple[MissingChannel, ...]:
    """The records of cells, by channel, machine and rule, most cells first.

    `cells` has columns timestamp, entity, rule, feature and detail, in order of time.
    """
    if cells.empty:
        return ()
    groups = cells.assign(entity=cells["entity"].fillna("")).groupby(["feature", "entity", "rule"])
    found = [
        MissingChannel(
            channel=str(channel),
            entity=str(entity),
            rule=str(rule),
            cells=len(rows),
            first=rows["timestamp"].iloc[0].to_pydatetime(warn=False),
            last=rows["timestamp"].iloc[-1].to_pydatetime(warn=False),
            detail=str(rows["detail"].iloc[0]),
        )
        for (channel, entity, rule), rows in groups
    ]
    return tuple(sorted(found, key=lambda each: (-each.cells, each.channel, each.entity)))
