"""Housekeeping with real Delta tables and a real MLflow registry, in SQLite."""

import os
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

from pipeline import settings, staging, tables
from pipeline.errors import DataError, PromotionConflict
from pipeline.ledger import Decision
from pipeline.registry import promotion, runs, tags, versions
from pipeline.registry.connection import connect
from pipeline.registry.retiring import delete_version
from pipeline.steps import housekeeping, live
from pipeline.steps.candidate import candidates_of
from pipeline.store.staged import folder_of
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table
from tests import ledger_entries
from tests.builders import FIRST_DAY, days, make_spec, make_telemetry
from tests.detector.plant import CHANNELS, write_plant

# MLflow's own SQLite store, which no other fast test opens, is not clean; ours must be.
pytestmark = pytest.mark.filterwarnings(
    "ignore:::sqlalchemy", "ignore:::mlflow", "ignore:::alembic"
)

NOW = datetime.now(UTC)
NEXT_YEAR = NOW + timedelta(days=500)  # all that happened until now is past the audit window
SPEC = make_spec(housekeeping={"versions": 2})


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory) -> Path:
    """MLflow's tables, made once: that takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fixture of a module does not know the test's filters
        engine = create_sqlalchemy_engine(f"sqlite:///{path}")
        _initialize_tables(engine)
        engine.dispose()
    return path


class Registry:
    """Versions of `pumps`, each with a bundle of its own and telemetry of its own."""

    def __init__(self, here, folder: Path) -> None:
        self.here, self.folder = here, folder
        self.client = connect(here)
        self.table = Table(here.storage, "pumps", "telemetry")
        self.telemetry: dict[int, pd.DataFrame] = {}

    def train(self, **given: str) -> int:
        """Register a version that was trained on the telemetry as it is now."""
        trained_on = len(self.telemetry) + 1
        rows = telemetry_table(make_telemetry(2, seed=trained_on), SPEC.columns)
        number = tables.replace_days(self.table, days(2), rows, metadata={})
        bundle = self.folder / f"bundle-{trained_on}"
        bundle.mkdir()
        write_plant(bundle)
        name = f"candidate-{trained_on}"
        run = runs.find_or_start(self.client, detector="pumps", candidate=name, tags={})
        made = versions.register(
            self.client, model="pumps", run_id=run.info.run_id, bundle=bundle, features=CHANNELS
        ).number
        about = {"telemetry_version": str(number), "candidate": name, **given}
        versions.describe(self.client, "pumps", made, card="card", tags=about)
        runs.end(self.client, run.info.run_id, passed=True)
        self.telemetry[made] = self.rows(number)
        return made

    def rows(self, version: int) -> pd.DataFrame:
        return tables.read(self.table, version=version).sort_values(
            ["timestamp", "pump"], ignore_index=True
        )

    def promote(self, number: int, *, replaced: int | None = None, at: datetime = NOW) -> None:
        decision = Decision(
            "promotion", "pumps", number, replaced, "ada", "why", "run", "hash", at.isoformat()
        )
        ledger_entries.write(self.here, decision)
        self.client.set_registered_model_alias("pumps", promotion.CHAMPION, str(number))

    @property
    def numbers(self) -> list[int]:
        return [each.number for each in versions.every(self.client, "pumps")]


@pytest.fixture
def registry(here, empty_registry, tmp_path, monkeypatch) -> Registry:
    database = tmp_path / "mlflow.db"
    database.write_bytes(empty_registry.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    monkeypatch.chdir(tmp_path)  # where MLflow keeps the artifacts of a SQLite registry
    content = SPEC.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    return Registry(settings.load(), tmp_path)


def housekept(**how: Any) -> dict[str, Any]:
    """The three tasks of the DAG, in its order; what each returned."""
    return {
        "pruned": housekeeping.prune_versions(settings.load(), "pumps", **how),
        "cleared": housekeeping.clear_staging(settings.load(), "pumps", **how),
        "tidied": housekeeping.tidy_tables(settings.load(), "pumps", **how),
    }


def artifacts(folder: Path) -> int:
    return len(list(folder.rglob("weights.safetensors")))


def test_an_old_champion_keeps_its_telemetry_and_still_loads(registry):
    champion = registry.train()
    registry.promote(champion)
    for _ in range(4):
        registry.train()

    result = housekept(now=NEXT_YEAR)

    assert result["pruned"]["deleted"] == [2, 3]
    assert result["tidied"]["telemetry"]["deleted"] == 2 * 2
    pinned = int(versions.by_number(registry.client, "pumps", champion).tags["telemetry_version"])
    pd.testing.assert_frame_equal(registry.rows(pinned), registry.telemetry[champion])
    assert live.champion(settings.load(), "pumps").version.number == champion


def test_a_rejected_old_version_goes_with_its_files(registry, tmp_path):
    rejected = registry.train()
    promotion.reject(registry.client, "pumps", rejected, reason="latency")
    for _ in range(2):
        registry.train()
    before = artifacts(tmp_path / "mlruns")

    housekeeping.prune_versions(settings.load(), "pumps", now=NOW)

    assert registry.numbers == [2, 3]
    assert (before, artifacts(tmp_path / "mlruns")) == (3, 2)


def test_a_version_that_was_live_in_the_audit_window_stays_until_it_is_past(registry):
    first, second = registry.train(), registry.train()
    registry.promote(first)
    registry.promote(second, replaced=first)
    for _ in range(2):
        registry.train()

    soon = housekeeping.prune_versions(settings.load(), "pumps", now=NOW + timedelta(days=300))
    late = housekeeping.prune_versions(settings.load(), "pumps", now=NEXT_YEAR)

    assert soon["deleted"] == []
    assert soon["kept"][str(first)] == "the ledger has it live in the audit window"
    assert late["deleted"] == [first]


def test_a_version_that_scored_the_newest_days_stays_even_of_an_old_history(registry):
    for _ in range(4):
        registry.train()
    row = {"date": FIRST_DAY, "scored_at": NOW, "verdict": "scored", "version": 1}
    tables.append(Table(registry.here.storage, "pumps", "scorings"), [row])

    assert housekeeping.prune_versions(settings.load(), "pumps", now=NEXT_YEAR)["deleted"] == [2]


def test_the_network_of_a_recalibrated_champion_stays(registry):
    trained = registry.train()
    registry.train()
    recalibrated = registry.train(**{tags.WEIGHTS_OF: str(trained), tags.KIND: "recalibrated"})
    registry.promote(recalibrated)
    for _ in range(2):
        registry.train()

    result = housekeeping.prune_versions(settings.load(), "pumps", now=NEXT_YEAR)

    assert result["deleted"] == [2]
    assert result["kept"][str(trained)] == f"version {recalibrated} has its network"


def test_a_dry_run_says_the_same_and_removes_nothing(registry, tmp_path):
    for _ in range(4):
        registry.train()
    state = registry.numbers, artifacts(tmp_path), tables.current_version(registry.table)

    result = housekept(now=NEXT_YEAR, dry_run=True)

    assert result["pruned"]["deleted"] == [1, 2]
    assert (registry.numbers, artifacts(tmp_path), tables.current_version(registry.table)) == state


def test_housekeeping_again_finds_nothing_to_do(registry):
    for _ in range(3):
        registry.train()
    housekept(now=NEXT_YEAR)

    result = housekept(now=NEXT_YEAR)

    assert (result["pruned"]["deleted"], result["tidied"]) == ([], {})
    assert result["cleared"] == {"ingestions": [], "candidates": []}


def test_a_version_without_its_telemetry_version_stops_the_vacuum(registry):
    registry.train(telemetry_version="")
    registry.train()

    with pytest.raises(DataError, match="Version 1 does not say"):
        housekeeping.tidy_tables(settings.load(), "pumps", now=NEXT_YEAR)

    assert registry.rows(1).equals(registry.telemetry[1])


def test_a_version_that_somebody_makes_champion_meanwhile_is_not_deleted(registry):
    number = registry.train()
    registry.promote(number)

    with pytest.raises(PromotionConflict, match="Version 1 of pumps is champion"):
        delete_version(registry.client, "pumps", number)

    assert registry.numbers == [number]


def put_staged(uri: str, *, age: timedelta) -> None:
    staging.write_json(f"{uri}/part/file.json", {})
    for path in (Path(uri), *Path(uri).rglob("*")):
        os.utime(path, 2 * ((NOW - age).timestamp(),))


def test_old_staged_files_go_unless_a_version_or_a_running_candidate_has_them(registry):
    old, young = timedelta(days=20), timedelta(days=2)
    ingests = folder_of(registry.here, "pumps")
    candidates = candidates_of(registry.here, "pumps")
    registry.train()  # of candidate-1
    runs.find_or_start(registry.client, detector="pumps", candidate="running", tags={})
    for name, age in (("a", old), ("b", young)):
        put_staged(f"{ingests}/{name}", age=age)
    for name, age in (("candidate-1", old), ("running", old), ("gone", old), ("fresh", young)):
        put_staged(f"{candidates}/{name}", age=age)

    result = housekeeping.clear_staging(settings.load(), "pumps", now=NOW)

    assert result == {"ingestions": ["a"], "candidates": ["gone"]}
    assert set(staging.folders_at(ingests)) == {"b"}
    assert set(staging.folders_at(candidates)) == {"candidate-1", "running", "fresh"}
