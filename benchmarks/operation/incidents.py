"""Incidents: one fault is one message, and the message names the sensor that is wrong.

Faults of one channel are planted in held-out normal rows (`pipeline.evaluation.injection`), in
every judged channel, at every size; each episode that is flagged counts once. Right is an episode
whose blame, over its flagged rows, begins with the channel that was struck.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.operation.rows import Row
from benchmarks.turbines import TRAINED, telemetry
from pipeline import settings
from pipeline.config import DetectorSpec, load_detector
from pipeline.data.channels import channels
from pipeline.data.derive import derive
from pipeline.data.sources.openoa_wheel import FILE
from pipeline.data.split import normal_rows, split
from pipeline.data.timeline import timeline_from
from pipeline.detector.attribution import contributions
from pipeline.detector.bundle.bundle import Bundle, load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.training.fit import fit
from pipeline.evaluation.faults import FAULTS
from pipeline.evaluation.injection import FaultyEpisodes, Trial, faulty_episodes
from pipeline.incidents import joined, reach
from pipeline.incidents.judging import judge
from pipeline.incidents.parts import day_parts
from pipeline.scoring import score_frame
from tests.integration import plant

_PART = "incidents"
_SHARE = 0.9
_BURST = 500
_STATION_DAYS = 30
_SEED = 42


@dataclass(frozen=True)
class IncidentBench:
    """A fitted detector and held-out normal rows of its plant."""

    name: str
    spec: DetectorSpec
    bundle: Bundle
    normal: pd.DataFrame


def measure() -> list[Row]:
    """Both questions on the made-up station, the second on real turbines too where they are."""
    with tempfile.TemporaryDirectory() as scratch:
        station = _station(Path(scratch))
        rows = [_burst(station), *_named(station)]
        if (settings.load().cache / FILE).exists():
            return [*rows, *_named(_turbines(Path(scratch)))]
    note = f"skipped: {FILE} is not in the cache; `make demo` fetches it"
    return [*rows, Row(_PART, f"turbines: named first in {_SHARE:.0%}", "-", None, note)]


def _burst(bench: IncidentBench) -> Row:
    """Anomalous rows of one machine, 1.2 s apart, through scoring and grouping."""
    columns, limits = bench.spec.columns, bench.spec.shifts
    frame = pd.concat([bench.normal] * 4, ignore_index=True)
    # In contradiction to the other channels, yet inside its range, so that nothing is muted.
    frame["flow"] = 2 * frame["flow"].mean() - frame["flow"]
    frame = frame[score_frame(bench.bundle, frame)["is_anomaly"].to_numpy(dtype=bool)]
    frame = frame.iloc[:_BURST].reset_index(drop=True)
    start = pd.Timestamp("2024-03-01 12:00", tz="UTC")
    frame[columns.timestamp] = start + pd.to_timedelta(np.arange(len(frame)) * 1.2, unit="s")
    frame[columns.entity or ""] = "north"
    judged = judge(bench.bundle, frame, len(frame), limits)
    within = reach(bench.spec.incidents.join, columns)
    parts = day_parts(judged, timeline_from(frame, columns), 1, within, within)
    flags, found = int(judged.flagged.sum()), joined(parts, within, within)
    return Row(
        _PART,
        f"{_BURST} anomalous rows within ten minutes make one incident",
        f"{flags} flags, {len(found)} incident(s)",
        met=flags == _BURST and len(found) == 1,
        note="of one machine; each machine that is struck has an incident of its own",
    )


def _named(bench: IncidentBench) -> Iterator[Row]:
    """How often the struck channel is named first: overall, then by kind of fault."""
    right, seen = Counter[str](), Counter[str]()
    for struck in faulty_episodes(_trial(bench)):
        if not FAULTS[struck.kind].two_channels:
            named, episodes = _right(bench, struck)
            right[struck.kind] += named
            seen[struck.kind] += episodes
    share = right.total() / seen.total()
    yield Row(
        _PART,
        f"{bench.name}: right channel named first in {_SHARE:.0%}",
        f"{share:.1%}",
        met=share >= _SHARE,
        note=f"{seen.total()} flagged episodes of single-channel faults",
    )
    for kind, episodes in seen.items():
        got = f"{right[kind] / max(1, episodes):.1%}"
        yield Row(_PART, f"{bench.name}: {kind}", got, None, f"{episodes} episodes")


def _right(bench: IncidentBench, struck: FaultyEpisodes) -> tuple[int, int]:
    """Episodes of `struck` whose blame begins with its channel, and all that were flagged."""
    new = struck.after.any(axis=1) & struck.changed & ~struck.before.any(axis=1)
    flagged = struck.after[new]
    rows = struck.rows[new][:, -flagged.shape[1] :][flagged]
    if not len(rows):
        return 0, 0
    known = channels(bench.spec.columns)
    found = contributions(bench.bundle, rows, [channel.columns for channel in known])
    episode = np.nonzero(flagged)[0]
    total = np.zeros((len(flagged), len(known)))
    np.add.at(total, episode, found)  # a mean would rank the same
    first = [known[at].name for at in total.argmax(axis=1)]
    return first.count(struck.channel.name), len(flagged)


def _trial(bench: IncidentBench) -> Trial:
    return Trial(
        scorer=bench.bundle.score,
        threshold=bench.bundle.threshold,
        rows=feature_values(bench.normal, bench.bundle.schema),
        timeline=timeline_from(bench.normal, bench.spec.columns),
        columns=bench.spec.columns,
        window=bench.bundle.schema.window,
        seed=_SEED,
        postprocessing=bench.bundle.postprocessing,
    )


def _station(folder: Path) -> IncidentBench:
    spec = load_detector(plant.write_detector(folder, "station"))
    raw = pd.concat([plant.make_day(n) for n in range(_STATION_DAYS)], ignore_index=True)
    return _fitted("station", spec, derive(raw, spec.columns), folder)


def _turbines(folder: Path) -> IncidentBench:
    spec = load_detector(settings.REPOSITORY / "detectors" / "la_haute_borne.yaml")
    return _fitted("turbines", spec, telemetry(spec, *TRAINED), folder)


def _fitted(name: str, spec: DetectorSpec, frame: pd.DataFrame, folder: Path) -> IncidentBench:
    blocks, schema = split(frame, spec), schema_for(spec)
    network = fit(blocks.train, schema, spec.model, spec.score)
    calibrated = calibrate(
        blocks.calibration,
        schema,
        Graph(network.graph).score,
        spec.threshold,
        smoothing=spec.smoothing,
        contexts=spec.contexts,
    )
    write_bundle(network, calibrated, folder / name, name=name, provenance=Provenance({}, "", ""))
    test = blocks.test.frame
    normal = test[normal_rows(test, spec.columns)].reset_index(drop=True)
    return IncidentBench(name, spec, load_bundle(folder / name), normal)
