"""A threshold that no longer holds: since when, because of what, and what helps. Pure.

Its flags say nothing any more, so one message takes the place of hundreds. The action must be one
that does no harm where the cause is another than it looks: nothing that makes the flagged rows
normal comes before a person has answered for what is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from pipeline.cases import Case
from pipeline.cases.records import DEGRADATION, REGIME
from pipeline.printable import LONGEST_NAME, one_line

Remedy = Literal["roll back", "look", "fix the source", "train", "answer", "recalibrate"]

_YEAR = 365
_MINUTE = "%Y-%m-%dT%H:%M"
_MOST_CASES = 3


@dataclass(frozen=True)
class KnownCauses:
    """What is known on the day, and may be why the threshold does not hold.

    Attributes:
        drift: kind of the newest drift verdict; empty: nothing was judged.
        drift_reason: its sentence.
        drift_action: its action.
        cases: open ones, oldest first.
        served: scored days since the rows that the version's threshold was estimated from.
        fresh: these are so few that its promotion is still watched.
        rows: independent rows that the threshold rests on.
        rows_needed: with fewer it is provisional.
        known: first and last day of the rows that it was estimated from; None: not on record.
        tripped: why the newest promotion must be rolled back; empty: it need not, or nobody asked.
    """

    drift: str = ""
    drift_reason: str = ""
    drift_action: str = ""
    cases: tuple[Case, ...] = ()
    served: int = 0
    fresh: bool = False
    rows: float = 0.0
    rows_needed: int = 0
    known: tuple[date, date] | None = None
    tripped: str = ""


@dataclass(frozen=True)
class BrokenThreshold:
    """More rows are flagged than a threshold promises, in many episodes or on many machines.

    Attributes:
        version: whose threshold it is.
        since: the first flagged row since which it does not hold.
        earlier: it may have begun before that; no earlier rows were read.
        until: up to when rows were counted.
        hours: length of the newest span whose share is outside.
        share: flagged share of its rows that count, as `pipeline.evaluation.flag_share` counts.
        rows: number of these.
        rows_effective: the independent rows that they are worth.
        promised: share of normal rows that may be flagged.
        most: the highest share that agrees with the promise.
        channels: those that carry most flags, each with its share of them.
        causes: what else is known.
    """

    version: int
    since: datetime
    until: datetime
    hours: int
    share: float
    rows: int
    rows_effective: float
    promised: float
    most: float
    channels: tuple[tuple[str, float], ...] = ()
    earlier: bool = False
    causes: KnownCauses = KnownCauses()

    @property
    def id(self) -> str:
        """What its message is filed under."""
        return f"{id_prefix(self.version)}{self.since.astimezone(UTC):{_MINUTE}}"

    @property
    def beginning(self) -> str:
        """Since when, in words."""
        return f"{'before ' * self.earlier}{self.since:%Y-%m-%d %H:%M} UTC"

    @property
    def finding(self) -> str:
        """What was counted, one sentence."""
        return (
            f"{self.share:.1%} of {self.rows:,} rows that count in {self.hours} hours up to "
            f"{self.until:%Y-%m-%d %H:%M} UTC (worth {self.rows_effective:,.0f} independent ones) "
            f"are flagged; version {self.version} promises {self.promised:.2%}, and at most "
            f"{self.most:.1%} would agree with that"
        )

    @property
    def because(self) -> str:
        """What is known of the cause, as one clause after the other."""
        return "; ".join(_clauses(self)) or "nothing that is known explains it"

    @property
    def remedy(self) -> Remedy:
        """The kind of action that helps, and does no harm where the cause is another one.

        1. A version that the watch wants rolled back is.
        2. Where scores grow slowly a person looks, and a broken source is fixed: a new model or
           threshold would be taught the fault.
        3. A new regime asks for training.
        4. What else is open is answered first: only a person knows whether a lasting episode is a
           fault or the new normal, and until then its rows neither train nor calibrate.
        5. The drift verdict's training or recalibration, or that of a provisional threshold.
        """
        causes = self.causes
        kinds = {case.kind for case in causes.cases}
        provisional = causes.rows < causes.rows_needed
        asked: tuple[tuple[bool, Remedy], ...] = (
            (bool(causes.tripped), "roll back"),
            (DEGRADATION in kinds or causes.drift_action == "look", "look"),
            (causes.drift_action == "quarantine", "fix the source"),
            (REGIME in kinds, "train"),
            (bool(causes.cases), "answer"),
            (causes.drift_action == "retrain", "train"),
            (provisional or causes.drift_action == "recalibrate", "recalibrate"),
        )
        return next((remedy for holds, remedy in asked if holds), "look")


def id_prefix(version: int) -> str:
    """How the ids of a version's broken threshold begin, whenever it was."""
    return f"threshold of version {version} since "


def since_of(told: str) -> datetime:
    """The beginning in an id."""
    return datetime.strptime(told[-len("2014-05-01T03:00") :], _MINUTE).replace(tzinfo=UTC)


def _clauses(broken: BrokenThreshold) -> Iterator[str]:
    causes = broken.causes
    if causes.tripped:
        yield causes.tripped.rstrip(".")
    elif causes.fresh:
        days = "1 scored day" if causes.served == 1 else f"{causes.served} scored days"
        yield f"version {broken.version} has served only {days}"
    if causes.drift not in ("", "none", "not judged"):
        yield f"drift says {causes.drift}: {one_line(causes.drift_reason).rstrip('.')}"
    if causes.cases:
        yield f"open: {', '.join(map(_case, causes.cases[:_MOST_CASES]))}{_more(causes.cases)}"
    if broken.channels:
        named = ", ".join(
            f"{one_line(name, most=LONGEST_NAME)} {share:.0%}" for name, share in broken.channels
        )
        yield f"channels that carry the flags: {named}"
    if causes.rows < causes.rows_needed:
        yield (
            f"its threshold is provisional: it rests on {causes.rows:,.0f} of "
            f"{causes.rows_needed:,} independent rows"
        )
    if causes.known is not None and (causes.known[1] - causes.known[0]).days + 1 < _YEAR:
        first, last = causes.known
        yield f"its threshold was estimated on {first} to {last} and knows no other season"


def _case(case: Case) -> str:
    machines = one_line(", ".join(case.machines), most=LONGEST_NAME)
    channels = one_line(", ".join(case.channels), most=LONGEST_NAME)
    what = f"{case.kind} of {machines or channels}" if machines or channels else case.kind
    named = f" ({channels})" if machines and channels else ""
    return f"{what}{named} since {case.start:%Y-%m-%d}"


def _more(cases: tuple[Case, ...]) -> str:
    left = len(cases) - _MOST_CASES
    return f" and {left} more" if left > 0 else ""
