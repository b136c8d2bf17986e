"""Would it catch a fault? Known faults, planted in held-out normal rows, graded by size.

Works without a single label and, because seed, rows and episodes are the same for everyone,
compares two detectors fairly. An episode counts as caught when one of its rows is flagged that
was not flagged before the fault, so that a detector which flags everything catches nothing.
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
from pipeline.detector.postprocessing import UNCHANGED, ScorePostprocessing, postprocess
from pipeline.detector.scored import Rows, Scorer
from pipeline.detector.smoothing import Runs
from pipeline.evaluation.faults import FAULTS, FaultKind, Healthy

EPISODES = 20
"""Episodes for each kind, size and channel."""

_VISIBLE = 0.5  # sd; a dropout of what is zero already is no fault and cannot be caught


@dataclass(frozen=True)
class FaultOutcome:
    """How often one fault of one size in one channel was caught."""

    kind: str
    size: float
    unit: str
    channel: str
    episodes: int
    caught: int


@dataclass(frozen=True)
class Trial:
    """The rows that faults are planted in, and the detector that should notice.

    Attributes:
        scorer: the detector under test.
        threshold: its line.
        rows: held-out normal rows, shape (n, d), in feature-column order.
        line: their timeline; an episode never spans a gap or two entities.
        columns: which features belong together.
        window: rows in one model input.
        seed: of the episodes' places and of the faults' signs.
        episodes: for each kind, size and channel.
        finish: what is done to the scorer's answers before they are held against the line.
    """

    scorer: Scorer
    threshold: float
    rows: Rows
    timeline: Timeline
    columns: Columns
    window: int
    seed: int
    episodes: int = EPISODES
    finish: ScorePostprocessing = UNCHANGED

    @property
    def lead(self) -> int:
        """Healthy rows before an episode that its first score depends on."""
        return self.window + self.finish.rows - 2


@dataclass(frozen=True)
class Struck:
    """Episodes with one fault of one size in one channel.

    Attributes:
        kind: key of FAULTS.
        size: in the fault's unit.
        channel: which one.
        rows: shape (episodes, lead + length, d), the struck rows last.
        changed: whether the fault changed anything of an episode, shape (episodes,).
        before: flags of the healthy rows, shape (episodes, length).
        after: flags of the struck rows, likewise.
    """

    kind: str
    size: float
    channel: Channel
    rows: Rows
    changed: NDArray[np.bool_]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]


def inject(trial: Trial) -> tuple[FaultOutcome, ...]:
    """Plant every fault of FAULTS at every size in every channel that it suits."""
    return tuple(
        FaultOutcome(
            kind=struck.kind,
            size=struck.size,
            unit=FAULTS[struck.kind].unit,
            channel=struck.channel.name,
            episodes=int(struck.changed.sum()),
            caught=int(((struck.after & ~struck.before).any(axis=1) & struck.changed).sum()),
        )
        for struck in strike(trial)
    )


def strike(trial: Trial) -> Iterator[Struck]:
    """The episodes themselves, for whoever asks more of a detector than whether it noticed."""
    ground = {length: _healthy_episodes(trial, length) for length in _lengths()}
    for kind, fault in FAULTS.items():
        for size in fault.sizes:
            yield from _plant(trial, ground[fault.rows or int(size)], kind, size)


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
    """Smallest size of each kind from which on at least `share` is caught; None: no size is."""
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
        place: where they are among the rows of the trial, shape (episodes, lead + length).
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
    draw = np.random.default_rng([trial.seed, length])
    starts = draw.choice(unbroken, min(trial.episodes, len(unbroken)), replace=False)
    place = order[starts[:, None] + np.arange(span)]
    rows = trial.rows[place]
    return _Episodes(rows, place, _flagged(trial, rows, place))


def _plant(trial: Trial, ground: _Episodes, kind: str, size: float) -> Iterator[Struck]:
    fault = FAULTS[kind]
    judged = [channel for channel in channels(trial.columns) if channel.judged]
    suitable = [channel for channel in judged if fault.suits_angles or not channel.angle]
    planted = [
        (channel, *_faulty(trial, ground, channel, suitable, size, fault)) for channel in suitable
    ]
    planted = [(channel, rows, seen) for channel, rows, seen in planted if seen.any()]
    if not planted:
        return
    rows = np.concatenate([rows for _, rows, _ in planted])
    flagged = _flagged(trial, rows, np.tile(ground.place, (len(planted), 1)))
    for (channel, rows, seen), after in zip(planted, np.split(flagged, len(planted)), strict=True):
        yield Struck(kind, size, channel, rows, seen, ground.flagged, after)


def _faulty(
    trial: Trial,
    ground: _Episodes,
    channel: Channel,
    others: list[Channel],
    size: float,
    fault: FaultKind,
) -> tuple[Rows, NDArray[np.bool_]]:
    """The episodes with the fault in `channel`, and in which of them it changed anything."""
    rows = ground.rows.copy()
    length = ground.flagged.shape[1]
    struck = rows[:, rows.shape[1] - length :]
    scale = spread(channel, trial.rows)
    partner = _partner(channel, others)
    before, other = read(channel, struck), read(partner, struck)
    sign = np.random.default_rng([trial.seed, channel.columns[0]]).choice(
        [-1.0, 1.0], (len(rows), 1)
    )
    after = fault.apply(
        Healthy(before, other, scale, np.pi if channel.angle else np.inf, sign), size
    )
    # A value that is absent stays so, and none is lost: a gap is no fault of this kind.
    absent = np.isnan(before) | np.isnan(after)
    after = np.where(absent, before, after)
    write(channel, struck, after)
    if fault.two_channels:
        write(partner, struck, np.where(absent, other, before))
    moved = np.nan_to_num(displacement(channel, before, after)).max(axis=1, initial=0.0)
    return rows, (moved >= _VISIBLE * scale) & (scale > 0)


def _partner(channel: Channel, others: list[Channel]) -> Channel:
    """The next channel of the same kind: angles cross wires with angles."""
    same = [other for other in others if other.angle == channel.angle]
    return same[(same.index(channel) + 1) % len(same)]


def _flagged(trial: Trial, episodes: Rows, place: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Flags of the struck rows, shape (n, length), each scored with the rows that lead up to it.

    An episode is a run of its own, at the time and place of the healthy rows it was made of.
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
        trial.finish,
        runs=Runs(np.arange(count * length), np.repeat(np.arange(count), length)),
    )
    return (done.score > trial.threshold).reshape(count, length)[:, trial.finish.rows - 1 :]
