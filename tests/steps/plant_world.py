"""A pump farm in production, without servers: tables in a folder, MLflow on SQLite, one champion.

Seventy validated days; the first thirty trained version 1, which is live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from pipeline import settings, staging
from pipeline.config import DetectorSpec
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.records import from_json
from pipeline.registry import tags, versions
from pipeline.registry.connection import Client, connect
from pipeline.settings import Deployment
from pipeline.steps import candidate as staged
from pipeline.steps import fitting, ingestion
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.champion import change_champion
from pipeline.steps.decisions import decision_about
from pipeline.steps.origin import TrainingInputs, origin_of
from pipeline.store.thresholds import record_threshold
from tests.builders import days, make_frame, make_spec

if TYPE_CHECKING:
    import pytest

HISTORY = 70
TRAINED = 30
AS_OF = days(TRAINED + 1)[-1]
SMALL = {"family": "denoising", "members": 2, "width": 16, "steps": 120}


@dataclass(frozen=True)
class World:
    """The settings, and the detector."""

    here: Deployment
    spec: DetectorSpec

    @property
    def client(self) -> Client:
        return connect(self.here)

    def aliases(self) -> dict[str, int]:
        found = self.client.get_registered_model("pumps").aliases
        return {str(alias): int(number) for alias, number in found.items()}


def make_world(
    folder: Path,
    patch: pytest.MonkeyPatch,
    frame: pd.DataFrame | None = None,
    **sections: Any,
) -> World:
    """The farm below `folder`, with `frame` as what its source delivers."""
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE"):
        (folder / variable.lower()).mkdir()
        patch.setenv(f"PLIMSOLL_{variable}", str(folder / variable.lower()))
    patch.delenv("PLIMSOLL_DATABASE", raising=False)
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    patch.chdir(folder)  # MLflow on SQLite keeps artifacts below the working folder
    here = settings.load()
    source = folder / "data" / "pumps.parquet"
    (make_frame(HISTORY) if frame is None else frame).to_parquet(source)
    spec = make_spec(
        source={"kind": "parquet", "path": str(source)},
        recalibration={"window_days": 20, "minimum_days": 7},
        **{"model": SMALL, **sections},
    )
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    ingestion.load(here, "pumps", [day.isoformat() for day in days(HISTORY)], run="r")
    promote_trained(here, AS_OF)
    return World(here, spec)


def promote_trained(here: Deployment, as_of: date) -> int:
    """Train on the days before `as_of` and make it live without a gate; its number."""
    payload = fitting.calibrate(
        here,
        fitting.train(
            here, fitting.window(here, "pumps", as_of.isoformat()), run="pumps__train/r1"
        ),
    )
    candidate = from_json(Candidate, payload)
    client, (spec, inputs) = connect(here), origin_of(candidate, TrainingInputs)
    with staging.pulled(candidate.folder(staged.BUNDLE)) as folder:
        bundle = load_bundle(folder)
        version = versions.register(
            client,
            model=spec.name,
            run_id=candidate.run_id,
            bundle=folder,
            features=bundle.schema.features,
        )
    about = {"gate": "passed", tags.KIND: "trained", tags.WEIGHTS_OF: str(version.number)}
    versions.describe(client, spec.name, version.number, card="Passed", tags=about)
    champion = versions.by_alias(client, spec.name, "champion")
    judged = JudgedCandidate(
        candidate=replace(candidate, page=""),
        version=version.number,
        passed=True,
        reason="made for a test",
        champion=champion.number if champion else None,
        card="Passed",
        bundle_sha256=bundle.digest,
    )
    window = (inputs.window.first_day, inputs.window.last_day)
    record_threshold(
        here,
        spec.name,
        bundle,
        version=version.number,
        run_id=candidate.run_id,
        window=window,
        realised_rate=None,
    )
    decision = decision_about(
        judged, "promotion", replaced=judged.champion, who="test", why="made for a test"
    )
    change_champion(here, decision)
    return version.number
