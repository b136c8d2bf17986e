"""A small plant with three versions, and processes that change its champion and die on the way.

Each function runs in a process of its own, on a copy of one prepared state: real tables, a real
MLflow registry on SQLite, real locks.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline import settings

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.candidate import JudgedCandidate

NAME = "plant"
FIRST_DAY = date(2024, 1, 1)
TRAINED, SCORED = 12, range(20, 23)
DAYS = 24
_MACHINES = ("a", "b")
_STEPS_A_DAY = 144

Answer = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """One copy of the plant.

    Attributes:
        folder: its tables, its registry and its cache.
        home: where the prepared plant is, whose artifacts every copy reads.
    """

    folder: Path
    home: Path

    def enter(self) -> None:
        """Make this process work here."""
        for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE"):
            (self.folder / variable.lower()).mkdir(parents=True, exist_ok=True)
            os.environ[f"PLIMSOLL_{variable}"] = str(self.folder / variable.lower())  # noqa: TID251 - a deployment of its own
        os.environ.pop("PLIMSOLL_DATABASE", None)  # noqa: TID251 - a process of its own
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{self.folder}/mlflow.db"  # noqa: TID251 - a process of its own
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"  # noqa: TID251 - a process of its own
        os.chdir(self.home)  # MLflow on SQLite keeps artifacts below the working folder


def prepare(ground: Ground) -> None:
    """Versions 1 (live), 2 (the same network, another threshold) and 3 (another network)."""
    ground.enter()
    import yaml

    from pipeline import settings
    from pipeline.steps import ingestion

    here, spec = settings.load(), _spec(ground)
    _frame().to_parquet(here.data + "/plant.parquet")
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / f"{NAME}.yaml").write_text(yaml.safe_dump(content))
    ingestion.load(here, NAME, [_day(n).isoformat() for n in range(DAYS)], run="bench")
    promote(_candidate(_day(TRAINED), champion=None))
    payloads = {"2": _recalibrated(), "3": _candidate(_day(SCORED[0]), champion=1)}
    (ground.folder / "payloads.json").write_text(json.dumps(payloads))
    score()


def promote(payload: Payload[JudgedCandidate]) -> None:
    """The task `promote`."""
    from pipeline.steps import promotion

    promotion.promote(settings.load(), payload, answer=None, run="bench")


def promote_version(folder: Path, version: str) -> None:
    """Promote version 2 or 3, as its gate has judged it."""
    promote(json.loads((folder / "payloads.json").read_text())[version])


def roll_back() -> None:
    """The rollback DAG, in which the last task does what no other has done."""
    from pipeline.steps import rollback

    why, who = "a drill", "bench"
    checked = rollback.validate_target(
        settings.load(), NAME, target=rollback.PREVIOUS, reason=why, who=who
    )
    moved = rollback.set_champion(
        settings.load(), checked, target=rollback.PREVIOUS, reason=why, who=who
    )
    rollback.close(settings.load(), moved, run=who)


def score() -> None:
    """The live version scores the last days."""
    from pipeline.steps import scoring

    scoring.score_days(settings.load(), NAME, [_day(n).isoformat() for n in SCORED], run="bench")


def die_before(write: int) -> Callable[[], int]:
    """Kill this process right before its `write`-th side effect; returns a counter of them."""
    from mlflow import MlflowClient

    from pipeline.tables import appending, engine

    done = 0

    def counted(effect: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*given: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == write:
                os.kill(os.getpid(), signal.SIGKILL)
            return effect(*given, **named)

        return perform

    effects: list[tuple[object, str]] = [
        (MlflowClient, "set_registered_model_alias"),
        (MlflowClient, "delete_registered_model_alias"),
        (MlflowClient, "set_model_version_tag"),
        (MlflowClient, "delete_model_version_tag"),
        (MlflowClient, "set_tag"),
        (MlflowClient, "set_terminated"),
        (engine, "write_deltalake"),
        (appending, "write_deltalake"),
    ]
    for owner, name in effects:
        setattr(owner, name, counted(getattr(owner, name)))
    return lambda: done


def look() -> Answer:
    """The live version: its number, and hashes of its network and of the bundle, its threshold."""
    from pipeline.steps import live

    found = live.champion(settings.load(), NAME)
    network = (found.bundle.folder / "model.onnx").read_bytes()
    return {
        "version": found.version.number,
        "network": hashlib.sha256(network).hexdigest(),
        "threshold": found.bundle.threshold,
        "digest": found.bundle.digest,
    }


def state() -> Answer:
    """All that a change of champion touches, and the flags of the golden and of faulty rows."""
    from pipeline import settings, tables
    from pipeline.data.fingerprint import fingerprint, row_hashes
    from pipeline.registry import versions
    from pipeline.registry.connection import connect
    from pipeline.steps import ledger_state
    from pipeline.tables import Table

    here = settings.load()
    client = connect(here)
    held = ledger_state.verified(here, NAME)
    scores = tables.read(Table(here.storage, NAME, "scores"))
    return {
        "live": look(),
        "flags": _flags(),
        "aliases": {k: int(v) for k, v in client.get_registered_model(NAME).aliases.items()},
        "tags": {
            str(each.number): {key: each.tags.get(key) for key in _LIFE}
            for each in versions.every(client, NAME)
        },
        "ledger": [(d.action, d.version, d.replaced) for d in held.changes],
        "scores": fingerprint(row_hashes(scores), scores.columns),
        "scored by": sorted({int(version) for version in scores["version"]}),
    }


_LIFE = ("status", "rolled_back", "rescoring")


def _flags() -> str:
    """Hash of the flags of golden rows and of rows spread far around them."""
    from pipeline.detector.calibration.calibrated import read_golden
    from pipeline.steps import live

    bundle = live.champion(settings.load(), NAME).bundle
    golden = read_golden(bundle.folder, bundle.schema).rows
    noise = np.random.default_rng(0).normal(size=golden.shape).astype(np.float32)
    rows = np.concatenate([golden, golden + noise * golden.std(axis=0)])
    return hashlib.sha256((bundle.score(rows).score > bundle.threshold).tobytes()).hexdigest()


def _candidate(as_of: date, *, champion: int | None) -> Payload[JudgedCandidate]:
    """A trained version, registered as one that passed its gate; the payload of `promote`."""
    from pipeline import settings, staging
    from pipeline.detector.bundle.bundle import load_bundle
    from pipeline.records import from_json, to_json
    from pipeline.registry import tags, versions
    from pipeline.registry.connection import connect
    from pipeline.steps import candidate as staged
    from pipeline.steps import fitting
    from pipeline.steps.candidate import Candidate, JudgedCandidate

    window = fitting.window(settings.load(), NAME, as_of.isoformat())
    candidate = from_json(
        Candidate,
        fitting.calibrate(settings.load(), fitting.train(settings.load(), window, run="bench")),
    )
    client = connect(settings.load())
    with staging.pulled(candidate.folder(staged.BUNDLE)) as folder:
        bundle = load_bundle(folder)
        features = bundle.schema.features
        version = versions.register(
            client, model=NAME, run_id=candidate.run_id, bundle=folder, features=features
        )
    about = {"gate": "passed", tags.KIND: "trained", tags.WEIGHTS_OF: str(version.number)}
    versions.describe(client, NAME, version.number, card="Passed", tags=about)
    judged = JudgedCandidate(
        candidate=replace(candidate, page=""),
        version=version.number,
        passed=True,
        reason="made for a drill",
        champion=champion,
        card="Passed",
        bundle_sha256=bundle.digest,
    )
    return to_json(judged)


def _recalibrated() -> Payload[JudgedCandidate]:
    """Version 2: version 1 recalibrated; the payload of `promote`."""
    from pipeline.steps import gating, recalibrating

    window = recalibrating.window(settings.load(), NAME, _day(SCORED[0]).isoformat())
    if isinstance(window, recalibrating.NotDue):
        raise RuntimeError(window.reason)  # noqa: TRY004 - an answer, no wrong type
    judged = gating.gate(
        settings.load(),
        recalibrating.recalibrate(settings.load(), window, run="bench"),
        run="bench",
    )
    judged["passed"] = True
    return judged


def _day(n: int) -> date:
    return FIRST_DAY + timedelta(days=n)


def _frame() -> pd.DataFrame:
    """Three correlated channels, every ten minutes, on two machines."""
    rng = np.random.default_rng(4)
    time = pd.date_range(FIRST_DAY, periods=DAYS * _STEPS_A_DAY, freq="10min", tz="UTC")
    load = rng.normal(size=(len(time), len(_MACHINES))).ravel()
    return pd.DataFrame(
        {
            "time": time.repeat(len(_MACHINES)),
            "machine": np.tile(_MACHINES, len(time)),
            "flow": 60 + 12 * load + rng.normal(size=len(load)),
            "pressure": 10 + 1.2 * load + 0.1 * rng.normal(size=len(load)),
            "power": 40 + 7 * load + 0.7 * rng.normal(size=len(load)),
        }
    )


def _spec(ground: Ground) -> Any:
    from pipeline.config import DetectorSpec

    feature = {"unit": "1", "range": [-500, 500]}
    return DetectorSpec.model_validate(
        {
            "name": NAME,
            "source": {"kind": "parquet", "path": f"{ground.folder}/data/plant.parquet"},
            "schema": {
                "timestamp": "time",
                "entity": "machine",
                "entities": list(_MACHINES),
                "cadence": "10min",
                "features": dict.fromkeys(("flow", "pressure", "power"), feature),
            },
            "split": {"training_days": 12, "minimum_days": 6},
            "model": {"members": 2, "width": 16, "steps": 150},
            "recalibration": {"window_days": 8, "minimum_days": 7},
            "schedule": {"start": FIRST_DAY.isoformat()},
        }
    )
