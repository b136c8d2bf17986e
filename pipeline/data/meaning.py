"""The meaning of the rows of a day: their columns, units and cadence. Pure.

A detector file may change while its tables hold rows, and nothing in a number says whether it was
stored as bar or as Pa. So each attempt at a day records what the file said then, and whoever reads
rows of several days, or scores them with a version that was trained earlier, compares.

Only what changes the meaning of stored rows is part of it. Ranges, limits, `stuck_after` and texts
decide which rows are accepted, and `context` how a model uses a channel: stored rows stay the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipeline.config import Columns, Feature
from pipeline.data.grid import stretches
from pipeline.records import from_json, to_json

_SHOWN = 3


@dataclass(frozen=True)
class Meaning:
    """The meaning of stored rows.

    Attributes:
        timestamp: name of the time column.
        entity: name of the column with the machine; None where there is one machine.
        cadence_s: expected seconds between two rows of one machine.
        units: unit of each channel as it is stored, by its name.
        angles: channels that are stored as sine and cosine.
        compared: channels of which the deviation from the other machines is stored too.
        marks: evaluation columns that say which rows are known to be abnormal.
    """

    timestamp: str
    entity: str | None
    cadence_s: float
    units: dict[str, str]
    angles: tuple[str, ...]
    compared: tuple[str, ...]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Misfit:
    """One property that a reader needs and that these rows do not have.

    Attributes:
        needed: what the reader needs: `column pump`, `pressure in Pa`.
        found: what is there instead: `machine`, `bar`.
        lacking: the same as a phrase about rows: `have no column pump (theirs is machine)`.
    """

    needed: str
    found: str
    lacking: str


def meaning_of(columns: Columns) -> Meaning:
    """The meaning of rows that are ingested under this `schema` section."""
    return Meaning(
        timestamp=columns.timestamp,
        entity=columns.entity,
        cadence_s=columns.cadence.total_seconds(),
        units={name: _held_in(feature) for name, feature in columns.features.items()},
        angles=tuple(sorted(n for n, feature in columns.features.items() if feature.circular)),
        compared=tuple(sorted({name for derived in columns.derived for name in derived.of})),
        marks=tuple(sorted(columns.marks)),
    )


def _held_in(feature: Feature) -> str:
    """The unit of the stored values, with the offset, which is part of their meaning."""
    return feature.unit + (f" less {feature.offset:.15g}" if feature.offset else "")


def needed_for_scores(columns: Columns) -> Meaning:
    """The meaning of rows that a version fitted with `columns` can score; marks are irrelevant."""
    return replace(meaning_of(columns), marks=())


def as_text(meaning: Meaning) -> str:
    """`meaning` as text for the table `ingestions`; equal meanings give equal texts."""
    return json.dumps(to_json(meaning), sort_keys=True)


def from_text(text: str) -> Meaning:
    """Inverse of `as_text`."""
    return from_json(Meaning, json.loads(text))


def misfits(needs: Meaning, has: Meaning) -> tuple[Misfit, ...]:
    """The properties in `needs` that rows with the meaning `has` lack; empty when they fit.

    Channels and marks that only `has` knows are ignored.
    """
    return (*_of_keys(needs, has), *_of_channels(needs, has), *_of_marks(needs, has))


def lacking(found: Iterable[Misfit]) -> str:
    """The first few of `found`, as a phrase about rows."""
    said = [each.lacking for each in found]
    return " and ".join(_first_few(said))


def spans(days: Collection[date]) -> str:
    """Days in words: `2026-01-01 to 2026-01-24`, several such spans if they are not consecutive."""
    ordered = sorted(set(days))
    texts = [
        f"{each[0]} to {each[-1]}" if len(each) > 1 else str(each[0])
        for each in stretches(ordered, most=len(ordered) or 1)
    ]
    return ", ".join(_first_few(texts))


def _of_keys(needs: Meaning, has: Meaning) -> Iterator[Misfit]:
    if needs.timestamp != has.timestamp:
        yield _column(needs.timestamp, has.timestamp)
    if needs.entity is None and has.entity is not None:
        yield Misfit(
            "rows of one machine",
            f"machines by column {has.entity}",
            f"are of several machines, by column {has.entity}",
        )
    elif needs.entity is not None and needs.entity != has.entity:
        yield _column(needs.entity, has.entity or "none")
    if needs.cadence_s != has.cadence_s:
        apart, instead = _span(needs.cadence_s), _span(has.cadence_s)
        yield Misfit(f"rows {apart} apart", instead, f"are {instead} apart instead of {apart}")


def _of_channels(needs: Meaning, has: Meaning) -> Iterator[Misfit]:
    for name, unit in needs.units.items():
        if name not in has.units:
            yield Misfit(f"column {name}", "none", f"have no {name}")
            continue
        if has.units[name] != unit:
            instead = has.units[name]
            yield Misfit(
                f"{name} in {unit}", instead, f"have {name} in {instead} instead of {unit}"
            )
        if (name in needs.angles) != (name in has.angles):
            kinds = ("a plain number", "an angle")
            kind, instead = kinds[name in needs.angles], kinds[name in has.angles]
            yield Misfit(
                f"{name} as {kind}", instead, f"have {name} as {instead} instead of {kind}"
            )
        if name in needs.compared and name not in has.compared:
            yield Misfit(f"column {name}_vs_peers", "none", f"have no {name}_vs_peers")


def _of_marks(needs: Meaning, has: Meaning) -> Iterator[Misfit]:
    for name in sorted(set(needs.marks) - set(has.marks)):
        yield Misfit(f"column {name}", "none", f"have no {name}")


def _column(needed: str, found: str) -> Misfit:
    return Misfit(f"column {needed}", found, f"have no column {needed} (theirs is {found})")


def _span(seconds: float) -> str:
    return str(timedelta(seconds=seconds))


def _first_few(texts: list[str]) -> list[str]:
    more = len(texts) - _SHOWN
    return [*texts[:_SHOWN], f"{more} more"] if more > 0 else texts
