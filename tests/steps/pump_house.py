"""The pump farm with a live detector: real tables and bundles, only the registry is made up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline import settings, tables
from pipeline.config import DenoisingModel, DetectorSpec, Model, Window
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import Bundle, load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.calibration.calibrated import Calibration
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.training.fit import fit
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.steps import ingestion, scoring
from pipeline.steps.live import LoadedVersion
from pipeline.store.score_writing import content_hashes
from pipeline.tables import Table
from tests import ledger_entries
from tests.builders import days, make_frame, make_spec, make_telemetry, on

SMALL = DenoisingModel(members=2, width=16, steps=120, batch_rows=64)
EIGHT_DAYS = days(8)
BEFORE = date(2023, 10, 1)
"""Training and calibration rows come from here, long before any day of a test."""


@dataclass
class PumpHouse:
    """A deployment with one detector, `pumps`, whose source is one Parquet file.

    Attributes:
        here: its folders.
        spec: the detector.
        live: what each alias points to.
    """

    here: Deployment
    spec: DetectorSpec
    live: dict[str, LoadedVersion] = field(default_factory=dict)

    def by_alias(self, _detector: str, alias: str) -> LoadedVersion | None:
        return self.live.get(alias)

    def promote(self, number: int, *, scale: float = 1.0, alias: str = "champion") -> LoadedVersion:
        """Make a bundle live whose threshold is `scale` times the calibrated one."""
        folder = Path(self.here.cache) / f"bundle-{number}"
        made = LoadedVersion(
            Version(number, f"run-{number}", "", {}, ""),
            _bundle(folder, scale, self.spec),
        )
        self.live[alias] = made
        return made

    def deliver(self, frame: pd.DataFrame) -> None:
        """Let the source hold `frame` from now on."""
        frame.to_parquet(Path(self.here.data) / "pumps.parquet")

    def ingest(self, *days: date) -> None:
        ingestion.load(settings.load(), "pumps", [day.isoformat() for day in days], run="ingest")

    def score(self, *days: date, run: str = "score") -> dict[str, object]:
        return scoring.score_days(
            settings.load(), "pumps", [day.isoformat() for day in days], run=run
        )

    def rows(self, name: str, day: date | None = None) -> pd.DataFrame:
        table = Table(self.here.storage, "pumps", name)
        return tables.read(table, first_day=day, last_day=day, keep_date=True)

    def content(self) -> dict[str, dict[date, str]]:
        """A hash of each day of the tables that must not depend on the order of scoring."""
        return {name: content_hashes(self.rows(name)) for name in ("scores", "incidents", "cases")}


def open_house(here: Deployment, **sections: Any) -> PumpHouse:
    """A pump house with its detector file, and nothing live yet."""
    spec = make_spec(source={"kind": "parquet", "path": "pumps.parquet"}, **sections)
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    return PumpHouse(here, spec)


def another_house(
    here: Deployment, monkeypatch: pytest.MonkeyPatch, name: str, **sections: Any
) -> PumpHouse:
    """Another deployment with the same live version and tables of its own; steps see it now."""
    elsewhere = replace(here, storage=f"{here.storage}-{name}", cache=here.cache / name)
    elsewhere.cache.mkdir()
    monkeypatch.setenv("PLIMSOLL_STORAGE", elsewhere.storage)
    house = open_house(elsewhere, **sections)
    house.promote(1)
    ledger_entries.live_is(monkeypatch, house.by_alias)
    return house


def station() -> pd.DataFrame:
    """Eight days: a fault, a fault over midnight, and a channel that leaves its range for good."""
    frame = make_frame(len(EIGHT_DAYS), seed=3)
    day, hour = frame["timestamp"].dt.date, frame["timestamp"].dt.hour
    frame.loc[on(frame, "a", [4, 5]) & (day == EIGHT_DAYS[2]), "pressure"] += 5
    frame.loc[on(frame, "b", [22, 23]) & (day == EIGHT_DAYS[4]), "flow"] += 15
    frame.loc[on(frame, "b", [0, 1]) & (day == EIGHT_DAYS[5]), "flow"] += 15
    for_good = (day == EIGHT_DAYS[7]) | (day.eq(EIGHT_DAYS[6]) & hour.ge(14))
    frame.loc[on(frame, "c") & for_good, "pressure"] += 8
    return frame


def bad_night() -> pd.DataFrame:
    """Five days; pump b runs wrong from 22:00 to 02:00 between the second and the third."""
    frame = make_frame(5, seed=3)
    second = days(5)[1]
    night = pd.date_range(second, periods=5, freq="h", tz="UTC") + pd.Timedelta("22h")
    frame.loc[on(frame, "b") & frame["timestamp"].isin(night), "flow"] += 15
    return frame


@cache
def _fitted(
    window: Window, smoothing: int, by: str, model: Model
) -> tuple[FittedNetwork, Calibration]:
    spec = make_spec(window=window, smoothing={"rows": smoothing}, contexts={"by": by})
    schema = schema_for(spec)
    fitted = fit(Block("train", make_telemetry(20, first_day=BEFORE, seed=1)), schema, model)
    held = Block("calibration", make_telemetry(10, first_day=BEFORE, seed=2))
    scorer = Graph(fitted.graph).score
    return fitted, calibrate(
        held, schema, scorer, spec.threshold, smoothing=spec.smoothing, contexts=spec.contexts
    )


def _bundle(folder: Path, scale: float, spec: DetectorSpec) -> Bundle:
    model = SMALL if spec.model == DenoisingModel() else spec.model
    fitted, honest = _fitted(spec.window, spec.smoothing.rows, spec.contexts.by, model)
    threshold = replace(honest.threshold, value=scale * honest.threshold.value)
    calibration = replace(honest, threshold=threshold)
    write_bundle(fitted, calibration, folder, name="pumps", provenance=Provenance({}, "", ""))
    return load_bundle(folder)
