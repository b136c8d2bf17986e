"""Which flagged episodes wait for a label: by their ends alone, thousands at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.data.label import NO_VERDICT, Judgement, verdicts
from pipeline.data.timeline import Timeline
from pipeline.incidents.joining import begins, incident_id
from pipeline.incidents.parts import ANOMALY

NS_IN_US = 1000


@dataclass(frozen=True)
class FlaggedParts:
    """The parts of flagged episodes within one day, as columns.

    Attributes:
        entity: the machine of each; empty where there is one.
        start: its first flagged row, in UTC microseconds since 1970.
        end: its last one.
        rows: flagged rows.
    """

    entity: tuple[str, ...] = ()
    start: tuple[int, ...] = ()
    end: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Episodes:
    """n flagged episodes as columns, each of shape (n,); times in UTC nanoseconds since 1970."""

    entity: NDArray[np.object_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Unanswered:
    """The episodes that wait for a label.

    Attributes:
        ids: of all of them.
        audits: how many of them were sampled for an audit.
    """

    ids: frozenset[str]
    audits: int


def unanswered(
    parts: Iterable[FlaggedParts],
    within: pd.Timedelta,
    judgements: Sequence[Judgement],
    *,
    sampled: Collection[tuple[str, int]],
    minimum_rows: int,
) -> Unanswered:
    """The episodes of `parts` without a verdict on their first or on their last row.

    Those of fewer rows than `minimum_rows` count only where they were sampled.

    Args:
        parts: raised parts of anomalies, of single days in any order.
        within: flags of one machine at most this far apart are one episode.
        judgements: the verdicts so far.
        sampled: machine and start, in microseconds, of each episode sampled for an audit.
        minimum_rows: of an incident.
    """
    found = whole(parts, within)
    waits = ~answered(found.entity, found.start, found.end, judgements)
    for_audit = np.zeros(len(waits), dtype=bool)
    if sampled:
        names = zip(found.entity, (found.start // NS_IN_US).tolist(), strict=True)
        for_audit = waits & np.array([name in sampled for name in names], dtype=bool)
    asked = np.flatnonzero(for_audit | (waits & (found.rows >= minimum_rows)))
    starts = pd.to_datetime(found.start[asked], utc=True)
    ids = [
        incident_id(ANOMALY, entity, "", start)
        for entity, start in zip(found.entity[asked], starts, strict=True)
    ]
    return Unanswered(frozenset(ids), int(for_audit.sum()))


def whole(parts: Iterable[FlaggedParts], within: pd.Timedelta) -> Episodes:
    """The parts of single days joined to whole episodes, by machine and start."""
    held = list(parts)
    names = np.array(list(chain.from_iterable(each.entity for each in held)), dtype=object)
    start, end, rows = (
        np.fromiter(chain.from_iterable(getattr(each, name) for each in held), dtype=np.int64)
        for name in ("start", "end", "rows")
    )
    order = np.lexsort((start, pd.factorize(names)[0]))
    names, start, end, rows = names[order], start[order], end[order], rows[order]
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1), len(names)]
    first = np.zeros(len(names), dtype=bool)
    for a, b in pairwise(edges):
        first[a:b] = begins(start[a:b] * NS_IN_US, end[a:b] * NS_IN_US, within)
    at = np.flatnonzero(first)
    if not len(at):
        return Episodes(names, start, end, rows)
    last = np.maximum.reduceat(end, at)
    return Episodes(names[at], start[at] * NS_IN_US, last * NS_IN_US, np.add.reduceat(rows, at))


def answered(
    entity: Sequence[str] | NDArray[np.object_],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    judgements: Sequence[Judgement],
) -> NDArray[np.bool_]:
    """For each of n episodes whether there is a verdict on its first and on its last row, (n,).

    Args:
        entity: the machine of each, shape (n,).
        start: its first row, in nanoseconds, shape (n,).
        end: its last row.
        judgements: the verdicts so far.
    """
    codes, names = pd.factorize(np.asarray(entity, dtype=object))
    both = Timeline(
        np.concatenate([start, end]),
        np.concatenate([codes, codes]).astype(np.intp),
        tuple(map(str, names)),
        cadence_ns=1,
    )
    said: NDArray[np.bool_] = verdicts(both, judgements) != NO_VERDICT
    return said[: len(start)] & said[len(start) :]
