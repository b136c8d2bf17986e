"""The columns of the tables whose columns do not depend on the detector.

`telemetry` and `scores` depend on it and bring their own schema.
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

TableName = Literal[
    "telemetry",
    "quarantine",
    "ingestions",
    "scores",
    "incidents",
    "labels",
    "drift",
    "thresholds",
    "ledger",
]

_DAY = ("date", pa.date32())
_MOMENT = pa.timestamp("us", tz="UTC")

SCHEMAS: dict[str, pa.Schema] = {
    "quarantine": pa.schema(
        [
            _DAY,
            ("timestamp", _MOMENT),
            ("entity", pa.string()),
            ("rule", pa.string()),
            ("feature", pa.string()),
            ("detail", pa.string()),
            ("row", pa.string()),  # the raw row as JSON, so that nothing is lost
        ]
    ),
    "ingestions": pa.schema(
        [
            _DAY,
            ("attempted_at", _MOMENT),
            ("run_id", pa.string()),
            ("verdict", pa.string()),  # what this attempt did
            ("standing", pa.string()),  # how the day stands after it; never `unchanged`
            ("reasons", pa.string()),
            ("expected", pa.int64()),
            ("delivered", pa.int64()),
            ("accepted", pa.int64()),
            ("rejected", pa.int64()),
            ("completeness", pa.float64()),
            ("rules", pa.string()),  # JSON: rule -> rejected rows
            ("fingerprint", pa.string()),
            ("contract", pa.string()),
            ("telemetry_version", pa.int64()),
            ("difference", pa.string()),  # JSON: rows added, removed, changed; null when none
        ]
    ),
    "thresholds": pa.schema(
        [
            _DAY,
            ("version", pa.int64()),
            ("run_id", pa.string()),
            ("threshold", pa.float64()),
            ("threshold_low", pa.float64()),
            ("threshold_high", pa.float64()),
            ("method", pa.string()),
            ("alpha", pa.float64()),
            ("n", pa.int64()),
            ("n_effective", pa.float64()),
            ("rate_low", pa.float64()),
            ("rate_high", pa.float64()),
            ("realised_rate", pa.float64()),
            ("window_first", pa.date32()),
            ("window_last", pa.date32()),
            ("created_at", _MOMENT),
        ]
    ),
    "drift": pa.schema(
        [
            _DAY,
            ("source", pa.string()),  # the candidate, or the scoring run, that was compared
            ("feature", pa.string()),
            ("distance", pa.float64()),
            ("p", pa.float64()),
            ("q", pa.float64()),
            ("rows_reference", pa.float64()),
            ("rows_current", pa.float64()),
            ("level", pa.string()),
            ("verdict", pa.string()),
        ]
    ),
    "ledger": pa.schema(
        [
            _DAY,
            ("sequence", pa.int64()),
            ("action", pa.string()),
            ("detector", pa.string()),
            ("version", pa.int64()),
            ("replaced", pa.int64()),
            ("who", pa.string()),
            ("why", pa.string()),
            ("run_id", pa.string()),
            ("card_sha256", pa.string()),
            ("decided_at", pa.string()),
            ("previous_hash", pa.string()),
            ("hash", pa.string()),
        ]
    ),
}
