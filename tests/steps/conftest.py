"""The deployment that a step finds in its environment: folders of its own, no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import settings
from pipeline.settings import Deployment
from tests import ledger_entries
from tests.steps.attacked_plant import plant, two_versions
from tests.steps.pump_house import EIGHT_DAYS, PumpHouse, open_house, station
from tests.steps.recalibrated_farm import farm, farm_world, first

__all__ = ["farm", "farm_world", "first", "plant", "two_versions"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Empty folders for tables, detector files, data and cache."""
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE"):
        folder = tmp_path / variable.lower()
        folder.mkdir()
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(folder))
    monkeypatch.delenv("PLIMSOLL_DATABASE", raising=False)
    return settings.load()


@pytest.fixture
def house(here: Deployment, monkeypatch: pytest.MonkeyPatch) -> PumpHouse:
    """The pump farm with version 1 live."""
    opened = open_house(here)
    ledger_entries.live_is(monkeypatch, opened.by_alias)
    opened.promote(1)
    return opened


@pytest.fixture
def filled(house: PumpHouse) -> PumpHouse:
    """The pump farm with eight ingested days, none scored."""
    house.deliver(station())
    house.ingest(*EIGHT_DAYS)
    return house
