"""Fault injection: known faults of several sizes, injected into held-out normal rows.

It needs no labels and, because seed, rows and episodes are the same for every detector, compares
two detectors fairly. An episode counts as caught when the fault flags a row that was not flagged
before, so that a detector that flags everything catches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.data.channels import Channel, channels, displacement, read, spread, write
from pipeline.data.timeline import Timeline, runs, subset
from pipeline.detector.calibration.postprocessing import (
    UNCHANGED,
    Runs,
    ScorePostprocessing,
    postprocess,
)
from pipeline.detector.inputs.scored import Rows, Scorer
from pipeline.evaluation.faults import FAULTS, FaultKind, Healthy

EPISODES = 20
"""Episodes for each kind, size and channel."""

_VISIBLE = 0.5  # sd; a dropout of a value that is zero already is no fault and cannot be caught


CAUGHT, MISSED, UNPLANTED = "+", "-", "."
"""What became of an episode; the fault does not change an unplanted one visibly."""


@dataclass(frozen=True)
class FaultOutcome:
    """Episodes with one fault of one size in one channel, and which of them were caught.

    Attributes:
        kind: key of FAULTS.
        size: in the fault's unit.
        unit: of the size.
        channel: the faulty channel.
        marks: what became of the episode at each place: CAUGHT, MISSED or UNPLANTED. Two detectors
            have the same places, in the same order, if their trials have the same rows, seed and
            lead.
    """

    kind: str
    size: float
    unit: str
    channel: str
    marks: str

    @property
    def episodes(self) -> int:
        """Number of episodes that the fault changed visibly."""
        return len(self.marks) - self.marks.count(UNPLANTED)

    @property
    def caught(self) -> int:
        """Number of those that were caught."""
        return self.marks.count(CAUGHT)


@dataclass(frozen=True)
class Trial:
    """The rows that faults are injected into, and the detector under test.

    Attributes:
        scorer: scorer of the detector.
        threshold: threshold of the detector.
        rows: held-out normal rows, shape (n, d), in feature-column order.
        timeline: of these rows; an episode never spans a gap or two entities.
        columns: the columns, which define the channel of each feature.
        window: number of rows in one model input.
        seed: seed of the places of episodes and of the signs of faults.
        episodes: number of episodes for each kind, size and channel.
        postprocessing: applied to the scores before they are compared with the threshold.
        least_lead: healthy rows before each episode, at least; so that detectors with windows of
            other lengths get the same episodes.
    """

    scorer: Scorer
    threshold: float
    rows: Rows
    timeline: Timeline
    columns: Columns
    window: int
    seed: int
    episodes: int = EPISODES
    postprocessing: ScorePostprocessing = UNCHANGED
    least_lead: int = 0

    @property
    def lead(self) -> int:
        """Number of healthy rows before an episode; its first score depends on them."""
        return max(lead_of(self.window, self.postprocessing), self.least_lead)


@dataclass(frozen=True)
class FaultyEpisodes:
    """Episodes with one fault of one size in one channel.

    Attributes:
        kind: key of FAULTS.
        size: in the fault's unit.
        channel: the faulty channel.
        rows: shape (episodes, lead + length, d), the faulty rows last.
        changed: whether the fault changed the episode visibly, shape (episodes,).
        before: flags of the healthy rows, shape (episodes, length).
        after: flags of the faulty rows, same shape.
    """

    kind: str
    size: float
    channel: Channel
    rows: Rows
    changed: NDArray[np.bool_]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]


def inject(trial: Trial) -> tuple[FaultOutcome, ...]:
    """Inject every fault of FAULTS at every size into every channel that it suits."""
    return tuple(
        FaultOutcome(
            kind=each.kind,
            size=each.size,
            unit=FAULTS[each.kind].unit,
            channel=each.channel.name,
            marks=_marks(each),
        )
        for each in faulty_episodes(trial)
    )


def lead_of(window: int, postprocessing: ScorePostprocessing) -> int:
    """Number of rows before an episode that its first score depends on."""
    return window + postprocessing.rows - 2


def _marks(struck: FaultyEpisodes) -> str:
    caught = np.asarray((struck.after & ~struck.before).any(axis=1))
    return "".join(
        UNPLANTED if not changed else CAUGHT if hit else MISSED
        for changed, hit in zip(struck.changed.tolist(), caught.tolist(), strict=True)
    )


def faulty_episodes(trial: Trial) -> Iterator[FaultyEpisodes]:
    """The episodes themselves, for evaluations other than the share that was caught."""
    healthy = {length: _healthy_episodes(trial, length) for length in _lengths()}
    for kind, fault in FAULTS.items():
        for size in fault.sizes:
            yield from _inject_at(trial, healthy[fault.rows or int(size)], kind, size)


def recall(trials: tuple[FaultOutcome, ...]) -> dict[str, dict[float, float]]:
    """Share of episodes caught, by kind and size, over all channels."""
    shares: dict[str, dict[float, float]] = {}
    for kind, size in dict.fromkeys((t.kind, t.size) for t in trials):
        same = [t for t in trials if (t.kind, t.size) == (kind, size) and t.episodes]
        if same:
            caught = sum(t.caught for t in same) / sum(t.episodes for t in same)
            shares.setdefault(kind, {})[size] = caught
    return shares


def at_largest(trials: tuple[FaultOutcome, ...]) -> dict[str, float]:
    """Share caught of each kind at its largest size."""
    return {kind: by_size[max(by_size)] for kind, by_size in recall(trials).items()}


def minimum_detectable(
    trials: tuple[FaultOutcome, ...], *, share: float
) -> dict[str, float | None]:
    """Smallest size of each kind from which on at least `share` is caught; None: no size."""
    smallest: dict[str, float | None] = {}
    for kind, by_size in recall(trials).items():
        smallest[kind] = None
        for size in sorted(by_size, reverse=True):
            if by_size[size] < share:
                break
            smallest[kind] = size
    return smallest


@dataclass(frozen=True)
class _Episodes:
    """Healthy rows and flags of episodes.

    Attributes:
        rows: shape (episodes, lead + length, d).
        place: their indices among the rows of the trial, shape (episodes, lead + length).
        flagged: shape (episodes, length).
    """

    rows: Rows
    place: NDArray[np.intp]
    flagged: NDArray[np.bool_]


def _lengths() -> set[int]:
    return {fault.rows or int(size) for fault in FAULTS.values() for size in fault.sizes}


def _healthy_episodes(trial: Trial, length: int) -> _Episodes:
    span = trial.lead + length
    order, run = runs(trial.timeline)
    unbroken = np.flatnonzero(run[span - 1 :] == run[: max(0, len(run) - span + 1)])
    random = np.random.default_rng([trial.seed, length])
    starts = random.choice(unbroken, min(trial.episodes, len(unbroken)), replace=False)
    place = order[starts[:, None] + np.arange(span)]
    rows = trial.rows[place]
    return _Episodes(rows, place, _flagged(trial, rows, place))


def _inject_at(
    trial: Trial, healthy: _Episodes, kind: str, size: float
) -> Iterator[FaultyEpisodes]:
    fault = FAULTS[kind]
    judged = [channel for channel in channels(trial.columns) if channel.judged]
    suitable = [channel for channel in judged if fault.suits_angles or not channel.angle]
    injected = [
        (channel, *_faulty(trial, healthy, channel, suitable, size, fault)) for channel in suitable
    ]
    injected = [(channel, rows, seen) for channel, rows, seen in injected if seen.any()]
    if not injected:
        return
    rows = np.concatenate([rows for _, rows, _ in injected])
    flagged = _flagged(trial, rows, np.tile(healthy.place, (len(injected), 1)))
    by_channel = np.split(flagged, len(injected))
    for (channel, rows, seen), after in zip(injected, by_channel, strict=True):
        yield FaultyEpisodes(kind, size, channel, rows, seen, healthy.flagged, after)


def _faulty(
    trial: Trial,
    healthy: _Episodes,
    channel: Channel,
    others: list[Channel],
    size: float,
    fault: FaultKind,
) -> tuple[Rows, NDArray[np.bool_]]:
    """The episodes with the fault in `channel`, and a mask of those that it changed visibly."""
    rows = healthy.rows.copy()
    length = healthy.flagged.shape[1]
    faulty = rows[:, rows.shape[1] - length :]
    scale = spread(channel, trial.rows)
    partner = _partner(channel, others)
    before, other = read(channel, faulty), read(partner, faulty)
    sign = np.random.default_rng([trial.seed, channel.columns[0]]).choice(
        [-1.0, 1.0], (len(rows), 1)
    )
    after = fault.apply(
        Healthy(before, other, scale, np.pi if channel.angle else np.inf, sign), size
    )
    # A missing value stays missing, and none is lost: a gap is no fault of this kind.
    absent = np.isnan(before) | np.isnan(after)
    after = np.where(absent, before, after)
    write(channel, faulty, after)
    if fault.two_channels:
        write(partner, faulty, np.where(absent, other, before))
    moved = np.nan_to_num(displacement(channel, before, after)).max(axis=1, initial=0.0)
    return rows, (moved >= _VISIBLE * scale) & (scale > 0)


def _partner(channel: Channel, others: list[Channel]) -> Channel:
    """The next channel of the same kind: an angle is swapped with an angle."""
    same = [other for other in others if other.angle == channel.angle]
    return same[(same.index(channel) + 1) % len(same)]


def _flagged(trial: Trial, episodes: Rows, place: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Flags of the faulty rows, shape (n, length), each scored with the rows before it.

    An episode is a run of its own, with the times and the entity of the healthy rows it came from.
    """
    if not len(episodes):
        return np.zeros((0, episodes.shape[1] - trial.lead), dtype=bool)
    windows = sliding_window_view(episodes, trial.window, axis=1).swapaxes(2, 3)
    count, length = windows.shape[:2]
    scored = trial.scorer(np.ascontiguousarray(windows).reshape(count * length, -1))
    first = trial.window - 1
    done = postprocess(
        scored.score,
        scored.error,
        episodes[:, first:].reshape(count * length, -1),
        subset(trial.timeline, place[:, first:].ravel()),
        trial.postprocessing,
        runs=Runs(np.arange(count * length), np.repeat(np.arange(count), length)),
    )
    flagged = (done.score > trial.threshold).reshape(count, length)
    return flagged[:, -(episodes.shape[1] - trial.lead) :]
