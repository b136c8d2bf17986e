"""Detection quality on La Haute Borne: trained on three months, judged on the next twenty-one.

`make bench-turbines`. The days are validated, derived, split and fitted by the product's own code.
The threshold is estimated once and never moved. PyOD's detectors get the same training rows, the
same calibration rows and the same conformal threshold in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from pipeline import settings
from pipeline.config import (
    DenoisingModel,
    DetectorSpec,
    LaHauteBorneSource,
    MemoryScore,
    Model,
    Score,
    load_detector,
)
from pipeline.data.contract import validate_days
from pipeline.data.derive import derive
from pipeline.data.sources import la_haute_borne
from pipeline.data.split import Blocks, split
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.inputs.scored import Rows, Scorer, WindowScores
from pipeline.detector.training.fit import fit
from pipeline.evaluation.metrics import evaluate, evaluated_rows
from pipeline.utc_day import end_of, midnight

TRAINED = (date(2014, 1, 1), date(2014, 3, 31))
JUDGED = (date(2014, 4, 1), date(2015, 12, 31))
OUT = settings.HOME / "benchmarks" / "turbines.json"

Fit = Callable[[Blocks, DetectorSpec, int], Scorer]


@dataclass(frozen=True)
class TurbineResult:
    """One detector, one seed. Rates and scores as fractions.

    Attributes:
        method: which detector.
        seed: of its fit.
        test_rate: realised rate on the test days of the training window.
        test_band: where it should lie (95 %).
        false_alarm_rate: share of normal turbine-rows flagged over the judged months.
        worst_month: the highest of the monthly rates.
        months: the rate of each month.
        outages: known outages.
        hit: of which at least one row was flagged.
        row_recall: share of outage rows flagged.
        roc_auc: outage rows against normal rows.
        average_precision: outage rows against normal rows.
        average_precision_all: outage rows against all others, the unexplained losses included.
        fit_s: seconds to fit.
    """

    method: str
    seed: int
    test_rate: float
    test_band: tuple[float, float]
    false_alarm_rate: float
    worst_month: float
    months: dict[str, float]
    outages: int
    hit: int
    row_recall: float
    roc_auc: float
    average_precision: float
    average_precision_all: float
    fit_s: float


def plimsoll(blocks: Blocks, spec: DetectorSpec, seed: int) -> Scorer:
    """The shipped detector."""
    return _fitted(blocks, spec, spec.model.model_copy(update={"seed": seed}), spec.score)


def memory(blocks: Blocks, spec: DetectorSpec, seed: int) -> Scorer:
    """The default of rows without time, on rows that have one: for comparison."""
    return _fitted(blocks, spec, DenoisingModel(seed=seed, swap=0), MemoryScore())


def _fitted(blocks: Blocks, spec: DetectorSpec, model: Model, score: Score) -> Scorer:
    schema = schema_for(spec)
    return Graph(fit(blocks.train, schema, model, score).graph).score


def pyod(make: Callable[[int], Any]) -> Fit:
    """A PyOD detector on the same rows, standardised by them."""

    def fitted(blocks: Blocks, spec: DetectorSpec, seed: int) -> Scorer:
        columns = list(spec.columns.feature_columns)
        train = blocks.train.frame[columns].to_numpy(np.float32)
        mean, scale = train.mean(axis=0), train.std(axis=0)
        detector = make(seed)
        detector.fit((train - mean) / scale)

        def score(rows: Rows) -> WindowScores:
            values = detector.decision_function((rows - mean) / scale).astype(np.float32)
            # Plimsoll's scores are positive; this keeps PyOD's order and makes them so.
            return WindowScores(np.log1p(np.exp(values)), np.zeros_like(rows))

        return score

    return fitted


def _auto_encoder(seed: int) -> Any:
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=seed, verbose=0)


def _knn(_seed: int) -> Any:
    from pyod.models.knn import KNN

    return KNN(n_jobs=2)


def _forest(seed: int) -> Any:
    from pyod.models.iforest import IForest

    return IForest(random_state=seed, n_jobs=2)


METHODS: dict[str, Fit] = {
    "plimsoll": plimsoll,
    "memory": memory,
    "pyod auto_encoder": pyod(_auto_encoder),
    "pyod knn": pyod(_knn),
    "pyod iforest": pyod(_forest),
}


def telemetry(spec: DetectorSpec, first: date, last: date) -> pd.DataFrame:
    """Validated and derived rows of a span that have every channel: such rows train."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    source = LaHauteBorneSource(kind="la_haute_borne", replaced_days=None)
    cache = settings.load().cache
    raw = la_haute_borne.fetch(source, spec.columns, midnight(first), end_of(last), cache)
    accepted = [v.accepted for v in validate_days(raw, spec, days).values() if len(v.accepted)]
    rows = derive(pd.concat(accepted, ignore_index=True), spec.columns)
    return rows.dropna(subset=list(spec.columns.feature_columns), ignore_index=True)


def measure(
    method: str, seed: int, blocks: Blocks, judged: pd.DataFrame, spec: DetectorSpec
) -> TurbineResult:
    """Fit on the train block, threshold from the calibration block, evaluate on the rest."""
    began = time.perf_counter()
    scorer = METHODS[method](blocks, spec, seed)
    fit_s = time.perf_counter() - began
    schema = schema_for(spec)
    threshold = calibrate(blocks.calibration, schema, scorer, spec.threshold).threshold
    test = evaluate(_judged(scorer, blocks.test.frame, spec), threshold)
    rows = _judged(scorer, judged, spec)
    later = evaluate(rows, threshold)
    if test.rate is None or later.rate is None or later.detection is None or rows.incident is None:
        message = "La Haute Borne has normal rows and outages in both spans; its data changed."
        raise RuntimeError(message)
    found = later.detection
    flagged = rows.score > threshold.value
    month = judged[spec.columns.timestamp].dt.strftime("%Y-%m")
    monthly = pd.Series(flagged[rows.normal]).groupby(month[rows.normal].to_numpy()).mean()
    return TurbineResult(
        method=method,
        seed=seed,
        test_rate=test.rate.rate,
        test_band=test.rate.band,
        false_alarm_rate=later.rate.rate,
        worst_month=float(monthly.max()),
        months={str(name): float(rate) for name, rate in monthly.items()},
        outages=len(found.incidents),
        hit=found.hit,
        row_recall=found.recall,
        roc_auc=found.roc_auc or 0.0,
        average_precision=found.average_precision or 0.0,
        average_precision_all=float(average_precision_score(rows.incident, rows.score)),
        fit_s=fit_s,
    )


def _judged(scorer: Scorer, frame: pd.DataFrame, spec: DetectorSpec) -> Any:
    rows = frame[list(spec.columns.feature_columns)].to_numpy(np.float32)
    return evaluated_rows(frame, scorer(rows).score, spec.columns)


def table(results: list[TurbineResult]) -> Iterator[str]:
    """The results as aligned lines, percentages throughout."""
    yield (
        f"{'method':<18} {'seed':>4} {'test rate (band)':>22} {'false al.':>9} {'worst m.':>8} "
        f"{'outages hit':>13} {'recall':>6} {'ROC':>6} {'AP':>5} {'AP all':>6} {'fit s':>6}"
    )
    for r in results:
        band = f"{r.test_rate:.2%} ({r.test_band[0]:.2%}-{r.test_band[1]:.2%})"
        yield (
            f"{r.method:<18} {r.seed:>4} {band:>22} {r.false_alarm_rate:>9.2%} "
            f"{r.worst_month:>8.1%} {r.hit:>4} of {r.outages} {r.hit / r.outages:>4.0%} "
            f"{r.row_recall:>6.1%} {100 * r.roc_auc:>6.2f} {100 * r.average_precision:>5.1f} "
            f"{100 * r.average_precision_all:>6.1f} {r.fit_s:>6.1f}"
        )


def monthly_table(results: list[TurbineResult]) -> Iterator[str]:
    """False-alarm rate by month, a column for each method's first seed."""
    first = {r.method: r for r in reversed(results)}
    chosen = [first[name] for name in METHODS if name in first]
    yield "month    " + "".join(f"{r.method:>19}" for r in chosen)
    for month in chosen[0].months:
        yield f"{month}  " + "".join(f"{r.months[month]:>19.2%}" for r in chosen)


def _rotated(judged: pd.DataFrame, spec: DetectorSpec) -> Iterator[TurbineResult]:
    """The shipped detector with every assignment of days to blocks that the cycle allows."""
    window = telemetry(spec, *TRAINED)
    for days in range(spec.split.train + spec.split.calibration + spec.split.test):
        start = spec.schedule.start - timedelta(days=days)
        moved = spec.model_copy(
            update={"schedule": spec.schedule.model_copy(update={"start": start})}
        )
        result = measure("plimsoll", 0, split(window, moved), judged, moved)
        yield replace(result, method=f"rotation {days}")


def main(arguments: list[str]) -> None:
    """Measure every method and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turbines", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the shipped detector")
    parser.add_argument(
        "--rotations",
        action="store_true",
        help="also let each day of the cycle of six be the first one, with one seed",
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parsed = parser.parse_args(arguments)
    spec = load_detector(Path("detectors/la_haute_borne.yaml"))
    print(f"{la_haute_borne.ATTRIBUTION}: trained {TRAINED}, judged {JUDGED}", flush=True)
    blocks = split(telemetry(spec, *TRAINED), spec)
    judged = telemetry(spec, *JUDGED)
    results: list[TurbineResult] = []
    for method in parsed.methods:
        for seed in range(parsed.seeds if method == "plimsoll" else 1):
            results.append(measure(method, seed, blocks, judged, spec))
            print(f"  {method}, seed {seed}: done", flush=True)
    print("\n" + "\n".join(table(results)))
    if parsed.rotations:
        print("\nThe same with other days in each block (shipped: rotation 0)")
        print("\n".join(table(list(_rotated(judged, spec)))))
    print("\nFalse alarms by month\n" + "\n".join(monthly_table(results)))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([asdict(result) for result in results], indent=1))
    print(f"\nwritten to {OUT.relative_to(settings.REPOSITORY)}")


if __name__ == "__main__":
    main(sys.argv[1:])
