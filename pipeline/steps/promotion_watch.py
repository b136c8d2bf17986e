"""The watch after a promotion: is the new version inside its limits, or must it be rolled back?

A gate judges a candidate on the past. Its first live days are the first new data, so they are
watched: too many flags, or scores of another size than it was calibrated on, in several partitions
in a row, trip the watch, and the rollback that follows is automatic. That is safe only where it
helps: the version behind the champion must be inside its own limits on the very same rows. If it is
not, the plant has changed and not the model, and the drift verdict decides what to do.

Partitions count by their own days and not by the clock, so history behaves like the present.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypedDict

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray

from pipeline import tables
from pipeline.config import DetectorSpec, Promotion
from pipeline.data.grid import as_day
from pipeline.detector.bundle.bundle import Bundle
from pipeline.ledger import Decision
from pipeline.settings import Deployment
from pipeline.steps import ledger_state, live
from pipeline.steps.candidate import detector_named
from pipeline.steps.drift_evidence import observed_rows
from pipeline.steps.horizon import knows_until
from pipeline.steps.live import LoadedVersion
from pipeline.tables import Table

_MEDIAN = "0.5"  # among the calibration quantiles of a bundle
_ENOUGH = 0.5  # of a partition's rows must be scored with every channel, or it does not count

log = structlog.get_logger()


@dataclass(frozen=True)
class Partition:
    """The flags and scores of one version on one day.

    Attributes:
        day: the UTC day.
        flagged: share of its rows that are flagged.
        level: median score, in units of the median of the version's calibration rows.
    """

    day: date
    flagged: float
    level: float

    def fault(self, limits: Promotion) -> str:
        """The limit that is exceeded; empty when none is."""
        if self.flagged > limits.watch_alert_rate:
            return f"{self.flagged:.0%} of rows flagged (limit {limits.watch_alert_rate:.0%})"
        ratio = limits.watch_score_ratio
        if not 1 / ratio <= self.level <= ratio:
            return f"scores {self.level:.2g} x as high as calibrated (limit {ratio:g}, either way)"
        return ""


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
    excuse = _not_watched(spec, done, champion)
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


def behaviour(bundle: Bundle, day: date, score: NDArray[np.floating], flag: int) -> Partition:
    """The partition of a version on a day, from its finite scores and the number of flags."""
    usual = bundle.description.calibration.quantiles[_MEDIAN]
    level = float(np.median(score)) / usual if usual > 0 else 1.0
    return Partition(day, flag / len(score), level)


def _not_watched(
    spec: DetectorSpec, done: tuple[Decision, ...], champion: LoadedVersion | None
) -> str:
    """Why there is nothing to watch; empty when there is."""
    if champion is None:
        return "nothing is live"
    if not spec.promotion.watch_partitions:
        return "promotion.watch_partitions is 0"
    number = champion.version.number
    if not done or (done[-1].action, done[-1].version) != ("promotion", number):
        return f"version {number} did not go live by the newest promotion"
    if any(each.action == "rollback" and each.replaced == number for each in done):
        return f"version {number} was rolled back before, and a person brought it back"
    return ""


def _served(
    here: Deployment, spec: DetectorSpec, champion: LoadedVersion, day: date
) -> list[Partition]:
    """The newest partitions up to `day` that count; none once the watch is over.

    Served means scored as the champion, on days after the version's own data.
    """
    first = knows_until(champion.bundle)
    rows = tables.read(
        Table(here.storage, spec.name, "scores"),
        columns=["role", "version", "score", "flag", "muted"],
        first_day=None if first == date.min else first,
        last_day=day,
        keep_date=True,
    )
    mine = rows["role"].eq("champion") & rows["version"].eq(champion.version.number)
    rows = rows[mine & rows["score"].notna()]
    watched = sorted(set(rows["date"]))[: spec.promotion.watch_days]
    if day not in watched:
        return []
    newest = watched[-spec.promotion.watch_partitions :]
    return [_partition(champion.bundle, each, rows[rows["date"] == each]) for each in newest]


def _partition(bundle: Bundle, day: date, rows: pd.DataFrame) -> Partition:
    whole = rows[rows["muted"].fillna("").eq("")]
    if len(whole) < _ENOUGH * len(rows):
        return Partition(day, 0.0, 1.0)
    flags = int(whole["flag"].fillna(value=False).astype(bool).sum())
    return behaviour(bundle, day, whole["score"].to_numpy(), flags)


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
