"""Rows that a fit or a calibration held back, because they lie in sustained episodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class HeldRows:
    """The rows of one sustained episode.

    Attributes:
        entity: the machine; empty where there is only one.
        start: first row, ISO 8601.
        end: last row.
        rows: how many of them were held back.
    """

    entity: str
    start: str
    end: str
    rows: int


@dataclass(frozen=True)
class HeldBack:
    """All rows that were held back.

    Attributes:
        rows: how many rows.
        episodes: how many episodes they lie in.
        longest: the longest of these, longest first; at most 50.
    """

    rows: int
    episodes: int
    longest: tuple[HeldRows, ...]


NOTHING_HELD = HeldBack(0, 0, ())


def held_sentence(held: HeldBack, block: str) -> str:
    """What a person must know of rows of the `block` block that were held back."""
    rows = f"{held.rows:,} row{'s' if held.rows != 1 else ''}"
    episodes = f"{held.episodes:,} episode{'s' if held.episodes != 1 else ''}"
    return (
        f"Held back from the {block} block: {rows} in {episodes} that last longer than normal rows "
        "stay so high. Look at them; label them normal or incident."
    )


def held_lines(held: HeldBack, most: int) -> Iterator[str]:
    """The longest episodes, one phrase each, at most `most`; then how many more there are."""
    shown = held.longest[:most]
    for each in shown:
        machine = f"{each.entity}, " if each.entity else ""
        yield f"{machine}{_minute(each.start)} to {_minute(each.end)} UTC, {each.rows:,} rows"
    if held.episodes > len(shown):
        yield f"and {held.episodes - len(shown):,} more"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
