"""The table `thresholds`: one row for the threshold of each registered version."""

from __future__ import annotations

from collections.abc import Sequence
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


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "thresholds")
