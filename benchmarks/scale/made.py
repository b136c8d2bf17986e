"""A made factory: fifty machines, 36 channels, a row a minute each, and its live detector.

Eight hidden causes drive the channels of a machine, so that there is something to reconstruct. A
day follows from its number alone. Telemetry goes straight into its table: what ingestion costs is
another matter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipeline import tables
from pipeline.config import DetectorSpec
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table

NAME = "factory"
FIRST_DAY = date(2024, 1, 1)
MACHINES, CHANNELS, STEPS_A_DAY = 50, 36, 1440
ROWS_A_DAY = MACHINES * STEPS_A_DAY
FEATURES = [f"c{n:02}" for n in range(CHANNELS)]

_CAUSES, _RHO, _NOISE = 8, 0.9, 0.1
_WRITTEN_AT_ONCE = 7  # days
_TRAINED, _CALIBRATED = (-40, -26), (-20, -13)  # days before the first
_THINNED = 20  # of the training and calibration rows one in so many: the default needs no more
_FAULT_EVERY, _FAULT_MINUTES, _FAULT = 3, 90, 2.5  # days, minutes, units of a channel
_SHIFT_EVERY, _SHIFT = 10, 4.0  # days; for eighteen hours, so that it is recognised


@dataclass(frozen=True)
class ScalePlace:
    """The places of one deployment.

    Attributes:
        storage: root of the tables, a folder or `s3://`.
        folder: detector file, registry and cache.
    """

    storage: str
    folder: Path

    def environment(self) -> dict[str, str]:
        """The variables of a process that works here."""
        return {
            "PLIMSOLL_STORAGE": self.storage,
            "PLIMSOLL_DETECTORS": str(self.folder / "detectors"),
            "PLIMSOLL_DATA": str(self.folder / "data"),
            "PLIMSOLL_CACHE": str(self.folder / "cache"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        }

    def enter(self) -> None:
        """Make this process work here."""
        os.environ.update(self.environment())  # noqa: TID251 - a deployment of its own
        os.chdir(self.folder)  # MLflow on SQLite keeps artifacts below the working folder


def days_of(rows: int) -> list[date]:
    """As many whole days as `rows` fill, one at least."""
    return [day_at(n) for n in range(max(1, round(rows / ROWS_A_DAY)))]


def day_at(n: int) -> date:
    """The n-th day, from 0."""
    return FIRST_DAY + timedelta(days=n)


def factory() -> DetectorSpec:
    """The detector's file: defaults throughout."""
    return DetectorSpec.model_validate(
        {
            "name": NAME,
            "source": {"kind": "parquet", "path": "factory.parquet"},
            "schema": {
                "timestamp": "timestamp",
                "entity": "machine",
                "entities": _machines(),
                "cadence": "1min",
                "features": {name: {"unit": "1", "range": [-100, 100]} for name in FEATURES},
            },
            "schedule": {"start": FIRST_DAY.isoformat()},
        }
    )


def made_day(n: int) -> pd.DataFrame:
    """The rows of day `n`, by time and machine: (72,000, timestamp + machine + 36)."""
    values = _values(n)
    if n >= 0:
        _spoil(values, n)
    time = pd.date_range(day_at(n), periods=STEPS_A_DAY, freq="1min", tz="UTC")
    keys = {"timestamp": time.repeat(MACHINES), "machine": _machines() * STEPS_A_DAY}
    flat = values.reshape(ROWS_A_DAY, CHANNELS)
    return pd.DataFrame({**keys, **{name: flat[:, at] for at, name in enumerate(FEATURES)}})


def write_telemetry(storage: str, days: Sequence[date]) -> None:
    """The table `telemetry` with `days`, a file a day as ingestion leaves them."""
    table, columns = Table(storage, NAME, "telemetry"), factory().columns
    for first in range(0, len(days), _WRITTEN_AT_ONCE):
        part = days[first : first + _WRITTEN_AT_ONCE]
        rows = [telemetry_table(made_day((day - FIRST_DAY).days), columns) for day in part]
        tables.replace_days(table, part, pa.concat_tables(rows), metadata={"run_id": "made"})


def go_live(place: ScalePlace) -> None:
    """Fit a small champion of the default kind and register it in `place`."""
    for name in ("detectors", "data", "cache"):
        (place.folder / name).mkdir(parents=True, exist_ok=True)
    place.enter()
    content = factory().model_dump(mode="json", by_alias=True)
    (place.folder / "detectors" / f"{NAME}.yaml").write_text(yaml.safe_dump(content))
    register(_fitted(place.folder / "bundle"))


def register(bundle: Path) -> None:
    """Make `bundle` live in the ledger and the registry of this process's environment."""
    from pipeline import settings
    from pipeline.detector.bundle.sums import verify_sums
    from pipeline.ledger import Decision
    from pipeline.registry import versions
    from pipeline.registry.connection import connect
    from pipeline.steps.champion import change_champion

    here = settings.load()
    client = connect(here)
    run = client.create_run(client.create_experiment(NAME))
    features = tuple(FEATURES)
    version = versions.register(
        client, model=NAME, run_id=run.info.run_id, bundle=bundle, features=features
    )
    decision = Decision(
        action="promotion",
        detector=NAME,
        version=version.number,
        replaced=None,
        who="benchmark",
        why="made for a benchmark",
        run_id=run.info.run_id,
        card_sha256="",
        decided_at=datetime.now(UTC).isoformat(),
        bundle_sha256=verify_sums(bundle),
    )
    change_champion(here, decision)


def _fitted(folder: Path) -> Path:
    from pipeline.data.split import Block
    from pipeline.detector.bundle.bundle import write_bundle
    from pipeline.detector.bundle.description import Provenance
    from pipeline.detector.bundle.graph import Graph
    from pipeline.detector.calibration.calibrate import calibrate
    from pipeline.detector.inputs.schema import schema_for
    from pipeline.detector.training.fit import fit

    spec = factory()
    schema = schema_for(spec)
    fitted = fit(Block("train", _thinned(*_TRAINED)), schema, spec.model, spec.score, threads=1)
    calibration = calibrate(
        Block("calibration", _thinned(*_CALIBRATED)),
        schema,
        Graph(fitted.graph).score,
        spec.threshold,
        smoothing=spec.smoothing,
        contexts=spec.contexts,
    )
    write_bundle(fitted, calibration, folder, name=NAME, provenance=Provenance({}, "", ""))
    return folder


def _thinned(first: int, last: int) -> pd.DataFrame:
    """One row in `_THINNED` of each machine."""
    kept = np.arange(ROWS_A_DAY) // MACHINES % _THINNED == 0
    days: list[pd.DataFrame] = [made_day(n)[kept] for n in range(first, last)]
    return pd.concat(days, ignore_index=True)


def _values(n: int) -> NDArray[np.float32]:
    """Shape (minutes, machines, channels)."""
    mixing = np.random.default_rng(0).normal(size=(_CAUSES, CHANNELS)).astype(np.float32)
    rng = np.random.default_rng([1, abs(n), int(n < 0)])
    shape = (STEPS_A_DAY, MACHINES, _CAUSES)
    steps = rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(1 - _RHO**2))
    steps[0] /= np.float32(np.sqrt(1 - _RHO**2))  # as varied as all that follow
    causes = lfilter([1.0], [1.0, -_RHO], steps, axis=0).astype(np.float32)
    noise = rng.standard_normal((STEPS_A_DAY, MACHINES, CHANNELS), dtype=np.float32)
    values: NDArray[np.float32] = np.tanh(causes @ mixing) + np.float32(_NOISE) * noise
    return values


def _spoil(values: NDArray[np.float32], n: int) -> None:
    """Add a short fault every few days, and sometimes a channel that leaves its range for hours."""
    rng = np.random.default_rng([2, n])
    machine, channel = int(rng.integers(MACHINES)), int(rng.integers(CHANNELS))
    begin = int(rng.integers(STEPS_A_DAY - _FAULT_MINUTES))
    if n % _FAULT_EVERY == 1:
        values[begin : begin + _FAULT_MINUTES, machine, channel] += np.float32(_FAULT)
    if n % _SHIFT_EVERY == 4:  # noqa: PLR2004 - some day of the ten
        values[: STEPS_A_DAY * 3 // 4, machine - 1, channel] += np.float32(_SHIFT)


def _machines() -> list[str]:
    return [f"machine-{n:02}" for n in range(MACHINES)]
