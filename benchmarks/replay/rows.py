"""The scored rows of the replayed months, with what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.replay.policies import PolicyThreshold
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.data.split import normal_rows
from pipeline.data.timeline import Timeline, timeline_from
from pipeline.store.scores import champion_scores
from pipeline.store.thresholds import read_thresholds


@dataclass(frozen=True)
class Judged:
    """n scored rows, by time and entity.

    Attributes:
        timeline: times and entities.
        score: as the live version scored it.
        threshold: the threshold that was in force.
        version: that was live.
        muted: scored without a channel.
        normal: should not be flagged.
        incident: during an outage.
    """

    timeline: Timeline
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    version: NDArray[np.int64]
    muted: NDArray[np.bool_]
    normal: NDArray[np.bool_]
    incident: NDArray[np.bool_]


def judged(spec: DetectorSpec, telemetry: pd.DataFrame) -> Judged:
    """The rows that the champion has scored, from the tables."""
    columns = spec.columns
    keys = [columns.timestamp, "entity"]
    kept = ["timestamp", "entity", "score", "threshold", "version", "muted", "partial"]
    scores = champion_scores(settings.load(), spec.name, kept)
    scores = scores.rename(columns={"timestamp": columns.timestamp})
    known = telemetry.assign(
        entity=telemetry[columns.entity].astype(str) if columns.entity else "",
        normal=normal_rows(telemetry, columns),
        incident=telemetry[columns.incident].astype(bool) if columns.incident else False,
    )[[*keys, "normal", "incident"]]
    rows = scores.merge(known, on=keys, validate="one_to_one").sort_values(keys)
    if columns.entity:
        rows[columns.entity] = rows["entity"]
    return Judged(
        timeline=timeline_from(rows, columns),
        score=rows["score"].to_numpy(np.float64),
        threshold=rows["threshold"].to_numpy(np.float64),
        version=rows["version"].to_numpy(np.int64),
        muted=(rows["muted"].ne("") | rows["partial"].eq(other=True)).to_numpy(bool),
        normal=rows["normal"].to_numpy(bool),
        incident=rows["incident"].to_numpy(bool),
    )


def thresholds_by_version(spec: DetectorSpec) -> dict[int, PolicyThreshold]:
    """The threshold of each registered version, with its interval."""
    names = ["version", "threshold", "threshold_low", "threshold_high"]
    registered = read_thresholds(settings.load(), spec.name, names)
    return {
        int(row["version"]): PolicyThreshold(
            float(row["threshold"]), _known(row["threshold_low"]), _known(row["threshold_high"])
        )
        for row in registered.to_dict("records")
    }


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
