from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline import provenance

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_image_without_history_names_the_commit_that_it_was_stamped_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stamp = tmp_path / "REVISION"
    stamp.write_text("0123abc+changes\n")
    monkeypatch.setattr(provenance, "STAMP", stamp)

    assert provenance.code_version() == "0123abc+changes"


def test_a_checkout_names_its_own_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(provenance, "STAMP", tmp_path / "none")

    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?|unknown", provenance.code_version())
