"""The table `thresholds`: one row for the threshold of each registered version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pandas as pd

from pipeline import tables
from pipeline.detector.bundle.bundle import Bundle
from pipeline.settings import Deployment
from pipeline.tables import Table


def record_threshold(
    here: Deployment,
    detector: str,
    bundle: Bundle,
    *,
    version: int,
    run_id: str,
    window: tuple[date, date],
    realised_rate: float | None,
) -> None:
    """Append one row for the threshold of `version`, unless the table has it already.

    `window` is the first and the last day of the rows that it was estimated from.
    """
    table = _table(here, detector)
    known = tables.read(table, columns=["version"])
    if version in set(known["version"]):
        return
    estimate, lineage = bundle.description.threshold, bundle.description.lineage
    now = datetime.now(UTC)
    tables.append(
        table,
        [
            {
                "date": now.date(),
                "version": version,
                "run_id": run_id,
                "threshold": estimate.value,
                "threshold_low": estimate.interval[0],
                "threshold_high": estimate.interval[1],
                "method": estimate.method,
                "alpha": estimate.alpha,
                "n": estimate.n,
                "n_effective": estimate.n_effective,
                "rate_low": estimate.rate_interval[0],
                "rate_high": estimate.rate_interval[1],
                "realised_rate": realised_rate,
                "window_first": window[0],
                "window_last": window[1],
                "created_at": now,
                "kind": "recalibrated" if lineage else "trained",
                "weights_of": lineage.weights_of if lineage else version,
                "anchor": lineage.anchor_threshold if lineage else estimate.value,
            }
        ],
    )


def read_thresholds(here: Deployment, detector: str, columns: Sequence[str]) -> pd.DataFrame:
    """`columns` of all rows, in no defined order."""
    return tables.read(_table(here, detector), columns=columns)


def weights_by_version(here: Deployment, detector: str) -> dict[int, int]:
    """For each version the version whose network it has; absent where it is not on record."""
    known = read_thresholds(here, detector, ["version", "weights_of"]).dropna()
    return dict(zip(known["version"].astype(int), known["weights_of"].astype(int), strict=True))


def effective_rows_by_version(here: Deployment, detector: str) -> dict[int, float]:
    """For each version the independent rows that its threshold rests on."""
    known = read_thresholds(here, detector, ["version", "n_effective"]).dropna()
    return dict(zip(known["version"].astype(int), known["n_effective"].astype(float), strict=True))


@dataclass(frozen=True)
class RecordedThreshold:
    """What the table keeps of the promise of a threshold.

    Attributes:
        alpha: share of normal rows that may be above it.
        n: number of its calibration rows.
        n_effective: the independent rows that they are worth.
        window: first and last day of these rows; None: not on record.
    """

    alpha: float
    n: int
    n_effective: float
    window: tuple[date, date] | None


def recorded_threshold(here: Deployment, detector: str, version: int) -> RecordedThreshold | None:
    """What is on record of the threshold of `version`; None: nothing is."""
    known = ["alpha", "n", "n_effective"]
    rows = read_thresholds(here, detector, ["version", *known, "window_first", "window_last"])
    rows = rows[rows["version"].eq(version)].dropna(subset=known)
    if rows.empty:
        return None
    row = rows.iloc[-1]
    ends = row["window_first"], row["window_last"]
    window = None if pd.isna(ends[0]) or pd.isna(ends[1]) else ends
    return RecordedThreshold(float(row["alpha"]), int(row["n"]), float(row["n_effective"]), window)


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "thresholds")
