"""Incidents: the parts of single days, joined over midnight."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.detector.attribution import Blame
from pipeline.incidents.parts import ANOMALY, OF_ONE_CHANNEL, IncidentPart, Kind, Status

_NAMED = 3


@dataclass(frozen=True)
class Incident:
    """One episode of one entity, which is reported once.

    Attributes:
        id: of kind, entity, channel if it is about one, and start; stable while the start is.
        kind: `anomaly`, `shifted feature`, `new regime` or `data fault`.
        status: `raised`, or `withdrawn` with the version that raised it.
        entity: which machine; empty where there is one.
        start: first row, UTC.
        end: last row seen so far.
        rows: flagged rows, or those in which the channel has moved or failed.
        peak: highest score, in units of the threshold.
        peak_at: when.
        version: of the bundle that raised it first.
        features: channels to blame, worst first, each with its share of the score over its usual
            share.
    """

    id: str
    kind: Kind
    status: Status
    entity: str
    start: pd.Timestamp
    end: pd.Timestamp
    rows: int
    peak: float
    peak_at: pd.Timestamp
    version: int
    features: tuple[Blame, ...]


def joined(
    parts: Iterable[IncidentPart],
    within: pd.Timedelta,
    shift_within: pd.Timedelta,
    *,
    minimum_rows: int = 1,
) -> list[Incident]:
    """The incidents of `parts`, by start; without anomalies of fewer rows than `minimum_rows`.

    A withdrawn incident is left out where the same episode is raised: the later version found it
    too.
    """
    incidents: list[Incident] = []
    for _, same in groupby(sorted(parts, key=_order), key=_key):
        run = list(same)
        start, end = (np.array([getattr(p, n).value for p in run]) for n in ("start", "end"))
        first = begins(start, end, within if run[0].kind == ANOMALY else shift_within)
        edges = [*np.flatnonzero(first), len(run)]
        incidents += [_incident(run[a:b]) for a, b in pairwise(edges)]
    long = [i for i in incidents if i.kind != ANOMALY or i.rows >= minimum_rows]
    raised = [i for i in long if i.status == "raised"]
    kept = [i for i in long if i.status == "raised" or not any(_same(i, r) for r in raised)]
    return sorted(kept, key=lambda i: (i.start, i.entity, i.kind, i.id))


def begins(
    start: NDArray[np.int64], end: NDArray[np.int64], within: pd.Timedelta
) -> NDArray[np.bool_]:
    """Whether an incident begins with each of n parts that share a key, shape (n,).

    Args:
        start: first row of each part, in nanoseconds, ascending, shape (n,).
        end: last row, shape (n,).
        within: parts at most this far apart are one incident.
    """
    first = np.ones(len(start), dtype=bool)
    first[1:] = start[1:] - np.maximum.accumulate(end)[:-1] > within.value
    return first


def incident_id(kind: Kind, entity: str, channel: str, start: pd.Timestamp) -> str:
    """The id of the incident that starts then; `channel` if it is about one, else empty."""
    name = f"{kind}|{entity}|{channel}|{start.isoformat()}"
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _key(part: IncidentPart) -> tuple[str, str, str, str, int]:
    """The key that all parts of an incident share. A withdrawn one belongs to one version."""
    version = part.version if part.status == "withdrawn" else 0
    return part.kind, part.status, part.entity, _channel(part), version


def _order(part: IncidentPart) -> tuple[tuple[str, str, str, str, int], pd.Timestamp]:
    return _key(part), part.start


def _channel(part: IncidentPart | Incident) -> str:
    return part.features[0].channel if part.kind in OF_ONE_CHANNEL else ""


def _same(one: Incident, other: Incident) -> bool:
    alike = (one.kind, one.entity, _channel(one)) == (other.kind, other.entity, _channel(other))
    return alike and one.start <= other.end and other.start <= one.end


def _incident(chain: list[IncidentPart]) -> Incident:
    first, highest = chain[0], max(chain, key=lambda part: part.peak)
    return Incident(
        id=incident_id(first.kind, first.entity, _channel(first), first.start),
        kind=first.kind,
        status=first.status,
        entity=first.entity,
        start=first.start,
        end=max(part.end for part in chain),
        rows=sum(part.rows for part in chain),
        peak=highest.peak,
        peak_at=highest.peak_at,
        version=first.version,
        features=_weighed(chain),
    )


def _weighed(chain: list[IncidentPart]) -> tuple[Blame, ...]:
    """Blame over all parts, each counted by its rows; a channel not named in a part has none."""
    rows = sum(part.rows for part in chain)
    total: dict[str, float] = {}
    for part in chain:
        for each in part.features:
            total[each.channel] = total.get(each.channel, 0.0) + each.times_usual * part.rows / rows
    ranked = sorted(total.items(), key=lambda item: -item[1])
    return tuple(Blame(name, times) for name, times in ranked[:_NAMED])
