"""The watch after a promotion: is the new version inside its limits, or must it be rolled back?

A gate judges a candidate on the past. Its first live days are the first new data, so they are
watched: too many flags, or scores of another size than it was calibrated on, in several partitions
in a row, trip the watch, and the rollback that follows is automatic. That is safe only where it
helps: the version behind the champion must be inside its own limits on the very same rows. If it is
not, the plant has changed and not the model, and the drift verdict decides what to do.

Partitions count by their own days and not by the clock, so history behaves like the present.
"""

from __future__ import annotations

from datetime import date
from typing import TypedDict

import numpy as np
import pandas as pd
import structlog

from pipeline.config import DetectorSpec
from pipeline.data.grid import as_day
from pipeline.detector.bundle.bundle import knows_until
from pipeline.monitoring.promotion_watch import Partition, behaviour, not_watched, partition_of
from pipeline.settings import Deployment
from pipeline.steps import ledger_state, live
from pipeline.steps.candidate import detector_named
from pipeline.steps.drift_evidence import observed_rows
from pipeline.steps.live import LoadedVersion
from pipeline.store.scores import champion_scores, scored_days

log = structlog.get_logger()


class WatchOutcome(TypedDict):
    """What the watch found.

    Attributes:
        tripped: whether the newest promotion must be rolled back.
        reason: one sentence, also where it must not.
        version: the live version; None without one.
        previous: the version behind it; None without one.
    """

    tripped: bool
    reason: str
    version: int | None
    previous: int | None


def watch(here: Deployment, detector: str, day: str, *, run: str) -> WatchOutcome:
    """Whether the newest promotion must be rolled back after `day`.

    Trips when the last `promotion.watch_partitions`
    partitions up to `day`, all of them among the first `watch_days` that the version served, are
    outside the limits and the version behind it is inside on each of them. Only the newest change
    of champion is watched, and only a promotion: a version that was rolled back, or rolled back
    to, never trips the watch.
    """
    spec = detector_named(here, detector)
    done = ledger_state.verified(here, detector).changes
    champion = live.champion_or_none(here, detector)
    excuse = not_watched(spec.promotion, done, champion.version.number if champion else None)
    if champion is None or excuse:
        return _result(champion, None, "", excuse)
    behind = live.previous(here, detector)
    if behind is None:
        return _result(champion, None, "", "there is no version to return to")
    served = _served(here, spec, champion, as_day(day))
    faults = [partition.fault(spec.promotion) for partition in served]
    if len(served) < spec.promotion.watch_partitions or not all(faults):
        return _result(
            champion, behind, "", "inside the limits, or not yet watched for long enough"
        )
    would_be = [_instead(here, spec, behind, partition.day) for partition in served]
    if not all(each is not None and not each.fault(spec.promotion) for each in would_be):
        excuse = f"version {behind.version.number} would do no better, so the plant changed"
        return _result(champion, behind, "", excuse)
    reason = (
        f"Version {champion.version.number} left its limits on {served[0].day} to {served[-1].day} "
        f"({faults[-1]} on the last day); version {behind.version.number} would not have."
    )
    log.warning("watch_tripped", detector=detector, day=day, run=run, reason=reason)
    return _result(champion, behind, reason, "")


def _served(
    here: Deployment, spec: DetectorSpec, champion: LoadedVersion, day: date
) -> list[Partition]:
    """The newest partitions up to `day` that count; none once the watch is over.

    Served means scored as the champion, on days after the version's own data.
    """
    rows = _first_served(here, spec, champion, day)
    watched = sorted(set(rows["date"]))[: spec.promotion.watch_days]
    if day not in watched:
        return []
    newest = watched[-spec.promotion.watch_partitions :]
    return [partition_of(champion.bundle, each, rows[rows["date"] == each]) for each in newest]


def _first_served(
    here: Deployment, spec: DetectorSpec, champion: LoadedVersion, last: date
) -> pd.DataFrame:
    """The scores of the first `watch_days` days that the version served, or of some more.

    Read forward from its own data until there are so many, not up to `last`: the version may have
    been live for years.
    """
    first, wanted = knows_until(champion.bundle), spec.promotion.watch_days
    names = ["date", "version", "score", "flag", "muted", "partial"]
    held = [day for day in scored_days(here, spec.name) if first <= day <= last]
    found = [pd.DataFrame(columns=names)]
    for begin in range(0, len(held), wanted):
        days = held[begin : begin + wanted]
        rows = champion_scores(here, spec.name, names, first=days[0], last=days[-1])
        rows = rows[rows["version"].eq(champion.version.number) & rows["score"].notna()]
        found += [rows] if len(rows) else []
        if sum(each["date"].nunique() for each in found) >= wanted:
            break
    return pd.concat(found[1:] or found)


def _instead(
    here: Deployment, spec: DetectorSpec, behind: LoadedVersion, day: date
) -> Partition | None:
    """The partition of the version behind the champion on the same rows; None: it cannot score.

    It scores without muting, so that a sensor that moved counts against a rollback: to be safe.
    """
    if not set(behind.bundle.schema.features) <= set(spec.columns.feature_columns):
        return None
    rows = observed_rows(here, spec, behind, day, day)
    score = rows.sample.score[np.isfinite(rows.sample.score)] if rows else np.empty(0)
    if not len(score):
        return None
    return behaviour(behind.bundle, day, score, int((score > behind.bundle.threshold).sum()))


def _result(
    champion: LoadedVersion | None, behind: LoadedVersion | None, reason: str, excuse: str
) -> WatchOutcome:
    return {
        "tripped": bool(reason),
        "reason": reason or f"not tripped: {excuse}",
        "version": champion.version.number if champion else None,
        "previous": behind.version.number if behind else None,
    }
