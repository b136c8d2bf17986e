"""ADBench's tabular sets without time (Han et al., NeurIPS 2022), one-class.

A random half of the normal rows trains, the other half and all anomalies test. At most 50,000 rows
in all, sampled per class, and 10,000 in training. A tenth of the training rows is for the threshold
and withheld from Plimsoll's training; the others train on all of them and get no threshold.
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
from pipeline.detector.inputs.schema import UNKNOWN_UNIT, Schema
from pipeline.detector.inputs.scored import Rows

_MOST, _MOST_TRAIN = 50_000, 10_000
_MOST_HELD = 2_000


@dataclass(frozen=True)
class BenchmarkSplit:
    """One set, shared out."""

    train: Rows
    calibration: Rows
    test: Rows
    anomalous: NDArray[np.bool_]


def paths(folder: Path) -> list[Path]:
    """The sets, small ones first."""
    return sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_size)


def share_out(path: Path, seed: int) -> BenchmarkSplit:
    """The rows of a set by the protocol."""
    with np.load(path) as content:
        rows, label = content["X"].astype(np.float32), content["y"].astype(bool)
    random = np.random.default_rng(seed)
    share = min(1.0, _MOST / len(rows))
    kinds = [random.permutation(np.flatnonzero(label == kind)) for kind in (False, True)]
    normal, abnormal = (kind[: round(share * len(kind))] for kind in kinds)
    half = len(normal) // 2
    train = rows[normal[:half]][:_MOST_TRAIN]
    held = min(_MOST_HELD, len(train) // 10)
    tested = np.concatenate([normal[half:], abnormal])
    return BenchmarkSplit(train[held:], train[:held], rows[tested], label[tested])


def measure(path: Path, contender: Contender, seed: int, *, withheld: bool) -> Result:
    """Fit on one set and evaluate; `withheld`: the calibration rows are not trained on."""
    split = share_out(path, seed)
    train = split.train if withheld else np.concatenate([split.train, split.calibration])
    columns = tuple(f"c{n}" for n in range(train.shape[1]))
    schema = Schema(
        context=(),
        features=columns,
        units=(UNKNOWN_UNIT,) * len(columns),
        window=1,
        timestamp=None,
        entity=None,
        cadence_s=None,
        source_columns=None,
    )
    frame = pd.DataFrame(train, columns=list(columns))
    outcome = put_to_the_test(contender, frame, schema, seed, split.test)
    calibration = outcome.scores(split.calibration) if withheld else np.empty(0)
    return Result(
        data=path.stem,
        contender=contender.name,
        seed=seed,
        fit_s=outcome.fit_s,
        score_s=outcome.score_s,
        **measured(outcome.found, split.anomalous, calibration),
    )


def table(results: list[Result]) -> Iterator[str]:
    """Means over sets and seeds, best average precision first."""
    names = {r.contender for r in results}
    found = {name: [r for r in results if r.contender == name] for name in names}
    yield (
        f"{'ADBench, mean of ' + str(len({r.data for r in results})) + ' sets':<30} "
        f"{'ROC':>6} {'AP':>6} {'rate at 1 %':>12} {'highest':>8} {'of sets':>8} "
        f"{'fit s':>6} {'rows/s':>10}"
    )
    for name in sorted(names, key=lambda n: -mean(found[n], "average_precision")):
        yield _row(name, found[name])


def _row(name: str, found: list[Result]) -> str:
    rates: dict[str, list[float]] = {}
    for r in found:
        if r.realised is not None:
            rates.setdefault(r.data, []).append(r.realised)
    by_set = [100 * float(np.mean(rate)) for rate in rates.values()]
    cells = (
        f"{np.mean(by_set):>10.2f} % {max(by_set):>6.2f} % {len(by_set):>8}"
        if by_set
        else f"{'-':>12} {'-':>8} {'-':>8}"
    )
    rows = sum(r.test_rows for r in found) / max(1e-9, sum(r.score_s for r in found))
    roc, precision = mean(found, "roc_auc"), mean(found, "average_precision")
    fit_s = mean(found, "fit_s") / 100
    return f"{name:<30} {roc:>6.2f} {precision:>6.2f} {cells} {fit_s:>6.2f} {rows:>10,.0f}"
