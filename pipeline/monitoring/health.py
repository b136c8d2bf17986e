"""The health of a detector: all that the command `status` shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from pipeline.cases import Case
from pipeline.config import DetectorSpec
from pipeline.monitoring.broken_threshold import BrokenThreshold
from pipeline.monitoring.day_status import PartitionState, State
from pipeline.scheduler import Dag
from pipeline.utc_day import ONE_DAY


@dataclass(frozen=True)
class LedgerFault:
    """A difference from the ledger.

    Attributes:
        what: one or two sentences.
        fix: what to do, a clause; empty: `what` says it.
        command: the command that does it; empty: there is none.
        in_ledger: the ledger itself does not hold; else MLflow or a kept head differs from it.
    """

    what: str
    fix: str = ""
    command: str = ""
    in_ledger: bool = False


@dataclass(frozen=True)
class LiveVersion:
    """The champion and its threshold, with the 95 % interval; None: unbounded.

    `provisional` says how far a threshold from few rows can be trusted; empty: it has enough.
    """

    version: int
    kind: str
    threshold: float | None
    low: float | None
    high: float | None
    trained_on: str
    provisional: str = ""


@dataclass(frozen=True)
class OpenIncident:
    """An incident that nobody has judged yet; `channel` is the first to blame."""

    id: str
    kind: str
    entity: str
    start: datetime
    peak: float
    channel: str


@dataclass(frozen=True)
class LatestDrift:
    """The newest drift verdict."""

    day: date
    kind: str
    action: str
    reason: str


@dataclass(frozen=True)
class Health:
    """The state of one detector.

    Attributes:
        detector: its name.
        last_scored: newest day with scores; None without one.
        live: what the ledger says is live; None: nothing.
        faults: differences from the ledger.
        challenger: version that waits; None without one.
        challenger_run: the run that judged it, and asks for its approval.
        approval: who lets a challenger go live.
        budget: share of normal rows that may be flagged, `threshold.alpha`.
        alert_rate: share of flagged rows over the newest so many scored days.
        open_incidents: incidents of the newest 30 days that nobody has judged.
        newest: the latest of them.
        drift: the newest verdict; None: nothing was judged yet.
        labels_waiting: episodes without a label, of all times.
        audits_waiting: those of them that were sampled for an audit.
        muted: channels left out of the newest scored day's scores, with their machine.
        undecided: those of them that nobody has decided about.
        unfinished_rollback: versions that were rolled back and whose days await new scores.
        partitions: every expected day, and days on record that the schedule does not expect.
        not_loaded: first and last day of an ended history that nobody has loaded yet.
        ended: whether `schedule.end` has passed: nothing starts by itself any more.
        dags: its DAGs as Airflow has them; None: Airflow could not be asked.
        open_cases: what is unresolved after the newest scored day, oldest first.
        broken: that the live threshold does not hold after the newest scored day; None: it does.
    """

    detector: str
    last_scored: date | None
    live: LiveVersion | None
    challenger: int | None
    approval: str
    budget: float
    alert_rate: dict[int, float | None]
    open_incidents: int
    newest: tuple[OpenIncident, ...]
    drift: LatestDrift | None
    labels_waiting: int
    audits_waiting: int
    muted: tuple[str, ...]
    undecided: tuple[str, ...]
    unfinished_rollback: tuple[int, ...]
    partitions: tuple[PartitionState, ...]
    not_loaded: tuple[date, date] | None
    faults: tuple[LedgerFault, ...] = ()
    challenger_run: str = ""
    ended: bool = False
    dags: tuple[Dag, ...] | None = None
    open_cases: tuple[Case, ...] = ()
    broken: BrokenThreshold | None = None

    @property
    def due(self) -> tuple[PartitionState, ...]:
        """The days that the schedule expects."""
        return tuple(each for each in self.partitions if each.due)

    @property
    def outside(self) -> tuple[PartitionState, ...]:
        """Days on record that it does not expect, as the detector file is now."""
        return tuple(each for each in self.partitions if not each.due)

    @property
    def paused(self) -> tuple[str, ...] | None:
        """Verbs of the DAGs that are paused; None: unknown."""
        if self.dags is None:
            return None
        return tuple(dag.verb for dag in self.dags if dag.paused)

    @property
    def counts(self) -> dict[State, int]:
        """Expected days by state."""
        return dict(Counter(each.state for each in self.due))

    @property
    def missing(self) -> str:
        """The channels that the newest scored day lacks, in words; empty: none."""
        scored = [each for each in self.partitions if each.state == "scored"]
        return scored[-1].reason if scored else ""

    @property
    def violations(self) -> tuple[PartitionState, ...]:
        """Days without a final state."""
        return tuple(each for each in self.partitions if not each.is_final)

    @property
    def healthy(self) -> bool:
        """Whether no day was skipped silently, none failed, and ledger and threshold hold."""
        lost = self.violations or self.counts.get("failed")
        return not (lost or self.faults or self.broken)


def not_loaded(
    spec: DetectorSpec, states: tuple[PartitionState, ...], today: date
) -> tuple[date, date] | None:
    """The first and last day of an ended history that nobody has loaded; None without one."""
    end, one = spec.schedule.end, ONE_DAY
    loaded = spec.schedule.start - one
    due = [each.day for each in states if each.due]
    for day in due:
        if day not in (due[0], loaded + one):
            break  # a stray day; the days before it were not loaded
        loaded = day
    if end is None or end >= today or loaded >= end:
        return None
    return loaded + one, end
