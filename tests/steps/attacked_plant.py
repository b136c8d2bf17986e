"""A farm with version 2 live, for tests that attack it in MLflow, in the lake and in the cache."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import ledger, settings, tables
from pipeline.detector.bundle.sums import verify_sums, write_sums
from pipeline.ledger import Decision
from pipeline.ledger.entries import Entry
from pipeline.steps import ledger_state, scoring
from pipeline.tables import Table
from tests.builders import days
from tests.steps.plant_world import AS_OF, HISTORY, World, make_world, promote_trained

DAY = days(HISTORY)[-1]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory):
    """The farm with version 2 live, after version 1."""
    folder = tmp_path_factory.mktemp("farm") / "world"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_HOME", str(folder / "home"))
        world = make_world(folder, patch)
        promote_trained(world.here, AS_OF + timedelta(days=1))
        yield SimpleNamespace(world=world, folder=folder)


@pytest.fixture
def plant(two_versions, tmp_path, monkeypatch):
    """A copy of the farm; the bundles lie where MLflow's database says, and are put back after."""
    here, kept = tmp_path / "world", tmp_path / "kept"
    shutil.copytree(two_versions.folder, here)
    shutil.copytree(two_versions.folder, kept)
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE", "HOME"):
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(here / variable.lower()))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/mlflow.db")
    yield World(settings.load(), two_versions.world.spec)
    for folder in kept.glob("ml*/"):
        shutil.rmtree(two_versions.folder / folder.name)
        shutil.copytree(folder, two_versions.folder / folder.name)


def score() -> dict[str, object]:
    return scoring.score_days(settings.load(), "pumps", [DAY.isoformat()], run="score")


def scorings(plant) -> list[tuple[str, str]]:
    rows = tables.read(Table(plant.here.storage, "pumps", "scorings")).sort_values("commit")
    return list(zip(rows["verdict"], rows["reason"].fillna(""), strict=True))


def artifacts(plant) -> list[Path]:
    """The folders of bundles in MLflow's store, the oldest version first."""
    found = {}
    place = Path.cwd()  # MLflow on SQLite keeps artifacts below the working folder
    for path in sorted(place.glob("ml*/**/detector.json")):
        found[verify_sums(path.parent)] = path.parent
    held = ledger_state.verified(plant.here, "pumps")
    return [found[held.digest_of(number)] for number in (1, 2)]


def swap(folder: Path) -> None:
    """Raise the threshold of a bundle so that it flags nothing, and make its sums right again."""
    description = folder / "detector.json"
    content = json.loads(description.read_text())
    content["threshold"]["value"] = 1e9
    description.write_text(json.dumps(content))
    write_sums(folder)


def forget_cache(plant) -> None:
    shutil.rmtree(plant.here.cache / "bundles", ignore_errors=True)


def ledger_table(plant) -> Table:
    return Table(plant.here.storage, "pumps", "ledger")


def rewrite(plant, entries: list[Entry]) -> None:
    """Let the table hold `entries` and nothing else, as somebody who can write the lake would."""
    table = ledger_table(plant)
    uri = Path(table.uri)
    shutil.rmtree(uri)
    for entry in entries:
        day = datetime.fromisoformat(entry.decision.decided_at).date()
        tables.append(table, [{"date": day, **ledger.to_row(entry)}])


def next_change(version: int, replaced: int) -> Decision:
    now = datetime.now(UTC).isoformat()
    return Decision("promotion", "pumps", version, replaced, "r", "why", "m", "", now, "d" * 64)
