"""What is known of a case, and what the rows of one day say about cases. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

CaseKind = Literal["episode", "shift", "regime", "degradation"]

EPISODE: CaseKind = "episode"
SHIFT: CaseKind = "shift"
REGIME: CaseKind = "regime"
DEGRADATION: CaseKind = "degradation"

CaseKey = tuple[CaseKind, str, str]
"""Kind, machine and channel: at most one case of each is unresolved at a time."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class ChannelRange:
    """The training range of a channel, in the channel's own units.

    Attributes:
        channel: its name.
        low: the lowest value of the range.
        high: the highest one.
        margin: a value so far outside is still inside.
    """

    channel: str
    low: float
    high: float
    margin: float


@dataclass(frozen=True)
class Departure:
    """How far out of its range a channel stayed.

    Attributes:
        at: the first row that was so far out.
        value: what the channel measured, in its own units.
    """

    at: datetime
    value: float


@dataclass(frozen=True)
class Case:
    """Something that is unresolved, or was.

    Attributes:
        id: names it; see `case_id`.
        kind: `episode`, `shift`, `regime` or `degradation`.
        start: its first row, UTC.
        last_row: its last row so far.
        machines: which; none where the detector watches one machine without a name.
        channels: those out of range, or those that carry a degradation; none of an episode.
        why: why it is open, one sentence.
        rows: how many rows it has.
        ranges: what the channels were inside before; raw data are back when they are there again.
        quiet: rows of its machine since its last row that were as before.
        told: whether it has lasted long enough to be a case. Until then it only waits.
        returned: the day on which the raw data had returned; None: they have not.
        calm: rows of its machine since its last row that were as before for the version that scored
            them, whatever that version was trained on.
        resuming: start of a stretch that came after enough calm rows, and is no reason for a case
            so far; None: there is none.
        resumed: the times at which it went on anew, after enough calm rows and with reason enough
            for a case of its own.
        departures: of a shift, each time that it was clearly farther out than ever before, the
            first one when it was told; see `growth`.
    """

    id: str
    kind: CaseKind
    start: datetime
    last_row: datetime
    machines: tuple[str, ...]
    channels: tuple[str, ...]
    why: str
    rows: int = 0
    ranges: tuple[ChannelRange, ...] = ()
    quiet: int = 0
    told: bool = True
    returned: date | None = None
    calm: int = 0
    resuming: datetime | None = None
    resumed: tuple[datetime, ...] = ()
    departures: tuple[Departure, ...] = ()

    @property
    def key(self) -> CaseKey:
        """Its place among the unresolved."""
        if self.kind == DEGRADATION:
            return DEGRADATION, "", ""
        machine = self.machines[0] if self.machines else ""
        return self.kind, machine, self.channels[0] if self.kind == SHIFT else ""


def case_id(key: CaseKey, start: datetime, block: timedelta) -> str:
    """The id of the case of `key` that begins in the same block of time as `start`.

    Two cases of a key are further apart than a block, the time for which data must have returned.
    So the id stays what it is where late rows or another version move the start a little.
    """
    number = int((start - _EPOCH) / block)
    name = "|".join((*key, str(number)))
    return hashlib.sha256(name.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Stretch:
    """Rows of one machine within one day that belong together.

    Attributes:
        start: its first row.
        end: its last row.
        rows: how many rows it has.
        before: rows of the machine before it that could have shown the same.
        after: these rows up to its end, the end included.
        opens: whether it is reason enough for a case.
        channels: those that are out of range.
        farthest: of a shift, how far out it was for hours; see `measured`. None: not known.
    """

    start: datetime
    end: datetime
    rows: int
    before: int
    after: int
    opens: bool = False
    channels: tuple[str, ...] = ()
    farthest: Departure | None = None


@dataclass(frozen=True)
class Track:
    """What one machine shows of one kind within one day.

    Attributes:
        kind: of the case that it is about.
        machine: empty where there is one.
        channel: of a shift; else empty.
        rows: rows of the day that could have shown it.
        stretches: those that did, oldest first. Of an episode, flags where nothing is muted.
        flagged: of an episode, flags of the scores as they are, where these are others.
    """

    kind: CaseKind
    machine: str
    channel: str
    rows: int
    stretches: tuple[Stretch, ...]
    flagged: tuple[Stretch, ...] | None = None

    @property
    def key(self) -> CaseKey:
        """The case that it is about."""
        return self.kind, self.machine, self.channel


@dataclass(frozen=True)
class MachineRows:
    """The rows of a machine on a day.

    Attributes:
        machine: empty where there is one.
        rows: all of them.
        scored: those with a score.
        between: two values for each of the day's ranges, in the channel's own units: all but the
            lowest and the highest hundredth of the machine's values lie between them; None: it sent
            no value. One flat list, as it is written for each machine and day. Empty: not known.
    """

    machine: str
    rows: int
    scored: int
    between: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class DayFacts:
    """What the rows of one day say about cases, by what was in force when they were scored.

    Attributes:
        asked: so many rows must be as before, until raw data count as returned.
        longest: rows that a cluster of normal rows above the threshold spans at most.
        join: flags at most so far apart are one cluster.
        cadence: time between two rows.
        ranges: of the channels that can leave them.
        machines: their rows; a machine that is not among them sent nothing.
        tracks: what they show; without one all rows of a machine are as before.
    """

    asked: int = 1
    longest: int = 1
    join: timedelta = timedelta(0)
    cadence: timedelta = timedelta(hours=1)
    ranges: tuple[ChannelRange, ...] = ()
    machines: tuple[MachineRows, ...] = ()
    tracks: tuple[Track, ...] = ()


NOTHING = DayFacts()
"""Of a day without rows."""


@dataclass(frozen=True)
class SeenDegradation:
    """What the watch of the scores says of a slow degradation on a day.

    Attributes:
        day: the last day that it has looked at.
        machines: those that carry it; none: all of them.
        channels: those that carry it.
        why: one sentence.
        since: first day of the evidence; None: the first day of which it is said.
        accepted: day of the state that a person has accepted last; growth since then is another
            case than growth before it. None: nobody has accepted any.
        returned: whether the scores are where they were before.
    """

    day: date
    machines: tuple[str, ...]
    channels: tuple[str, ...]
    why: str
    since: date | None = None
    accepted: date | None = None
    returned: bool = False


@dataclass(frozen=True)
class Tail:
    """The last clusters of flags of a machine, which the next day may go on with.

    Attributes:
        machine: empty where there is one.
        flagged: of the scores as they are; None: it ended too long ago.
        unmuted: of the scores without muting; likewise.
    """

    machine: str
    flagged: Stretch | None
    unmuted: Stretch | None


@dataclass(frozen=True)
class CaseState:
    """What one day hands on to the next.

    Attributes:
        cases: unresolved, and those that are not told yet; by key.
        tails: clusters of flags that may go on.
    """

    cases: tuple[Case, ...] = ()
    tails: tuple[Tail, ...] = ()
