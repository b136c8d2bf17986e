"""Four machines of the Server Machine Dataset (Su et al., KDD 2019): 38 metrics a minute.

The first 80 % of the training half trains (at most 10,000 windows, evenly spread), the rest is
for the conformal threshold, with which the whole test half is evaluated: no point adjustment, which
flatters noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.quality.contenders import Contender, put_to_the_test
from benchmarks.quality.results import Result, mean, measured
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows

_TRAIN_SHARE = 0.8
_MOST_TRAIN = 10_000
_MINUTE = 60.0


@dataclass(frozen=True)
class Machine:
    """One machine's rows in order of time."""

    train: pd.DataFrame
    calibration: Rows
    test: Rows
    anomalous: NDArray[np.bool_]
    features: tuple[str, ...]


def paths(folder: Path) -> list[Path]:
    """The machines."""
    return sorted(folder.glob("*.parquet"))


def read(path: Path, *, window: int) -> Machine:
    """A machine, its training rows thinned to whole stretches if there are too many."""
    frame = pd.read_parquet(path).sort_values("timestamp", kind="stable")
    features = tuple(c for c in frame.columns if c not in ("timestamp", "label", "split"))
    normal = frame[frame["split"] == "train"]
    test = frame[frame["split"] == "test"]
    cut = int(_TRAIN_SHARE * len(normal))
    stretch = 20 * window  # kept whole, so that windows lose few rows at their ends
    parts = np.arange(cut) // stretch
    keep = np.linspace(0, parts[-1], max(1, min(parts[-1] + 1, _MOST_TRAIN // stretch))).round()
    train = normal.iloc[:cut][np.isin(parts, keep)]
    columns = list(features)
    return Machine(
        train=train[["timestamp", *columns]].reset_index(drop=True),
        calibration=normal.iloc[cut:][columns].to_numpy(np.float32),
        test=test[columns].to_numpy(np.float32),
        anomalous=test["label"].to_numpy().astype(bool),
        features=features,
    )


def measure(path: Path, contender: Contender, seed: int) -> Result:
    """Fit on one machine and evaluate on its test half."""
    machine = read(path, window=contender.window)
    schema = Schema(
        context=(),
        features=machine.features,
        units=("1",) * len(machine.features),
        window=contender.window,
        timestamp="timestamp",
        entity=None,
        cadence_s=_MINUTE,
        source_columns=None,
    )
    test = _windows(machine.test, contender.window)
    outcome = put_to_the_test(contender, machine.train, schema, seed, test)
    return Result(
        data=path.stem,
        contender=contender.name,
        seed=seed,
        fit_s=outcome.fit_s,
        score_s=outcome.score_s,
        **measured(
            outcome.found,
            machine.anomalous[contender.window - 1 :],
            outcome.scores(_windows(machine.calibration, contender.window)),
            timed=True,
        ),
    )


def _windows(rows: Rows, length: int) -> Rows:
    """Every window of consecutive rows, oldest first; the machines have no gaps."""
    return np.hstack([rows[k : len(rows) - length + 1 + k] for k in range(length)])


def table(results: list[Result]) -> Iterator[str]:
    """A line a contender: ROC / AP, realised rate and incidents hit of each machine."""
    machines = sorted({r.data for r in results})
    yield f"{'Server machines':<22}" + "".join(f"{m:>31}" for m in machines) + f"{'mean':>14}"
    yield f"{'':<22}" + f"{'ROC /  AP    rate    hit':>31}" * len(machines) + f"{'ROC /  AP':>14}"
    names = {r.contender for r in results}
    found = {name: [r for r in results if r.contender == name] for name in names}
    for name in sorted(names, key=lambda n: -mean(found[n], "average_precision")):
        cells = "".join(_cell([r for r in found[name] if r.data == m]) for m in machines)
        total = (
            f"{mean(found[name], 'roc_auc'):>7.1f} / {mean(found[name], 'average_precision'):.1f}"
        )
        yield f"{name:<22}{cells}{total:>14}"


def _cell(found: list[Result]) -> str:
    if not found:
        return f"{'-':>31}"
    hits = sum(r.hit for r in found) / len(found)
    return (
        f"{mean(found, 'roc_auc'):>10.1f} / {mean(found, 'average_precision'):4.1f}"
        f" {mean(found, 'realised'):>5.1f} % {hits:>3.0f}/{found[0].incidents:<3}"
    )
