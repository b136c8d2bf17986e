"""The deployment that a step finds in its environment: folders of its own, no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import settings
from pipeline.settings import Settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Empty folders for tables, detector files, data and cache."""
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE"):
        folder = tmp_path / variable.lower()
        folder.mkdir()
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(folder))
    monkeypatch.delenv("PLIMSOLL_LOCK_DSN", raising=False)
    return settings.load()
