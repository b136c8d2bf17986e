"""Rejections in the ledger, and entries that repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.settings import Deployment
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.decisions import decision_about, record_rejection
from tests import ledger_entries


@dataclass
class Noted:
    """A ledger in a temporary folder."""

    here: Deployment

    def note(self, action: Any, version: int) -> None:
        judged = JudgedCandidate(
            candidate=Candidate("pump", f"c{version}", "unused", f"run-{version}"),
            version=version,
            passed=True,
            reason="",
            champion=None,
            card="card",
        )
        if action == "rejection":
            record_rejection(self.here, judged, who="test", why="because")
        else:
            decision = decision_about(judged, action, replaced=None, who="test", why="because")
            ledger_entries.write(self.here, decision)

    @property
    def decided(self) -> list[tuple[str, int]]:
        entries = ledger_entries.entries(self.here, "pump")
        return [(entry.decision.action, entry.decision.version) for entry in entries]


@pytest.fixture
def noted(here) -> Noted:
    return Noted(here)


def test_a_repeated_rejection_is_one_entry_whatever_was_decided_meanwhile(noted):
    noted.note("rejection", 1)
    noted.note("promotion", 2)
    noted.note("rejection", 1)

    assert noted.decided == [("rejection", 1), ("promotion", 2)]


def test_a_version_that_comes_back_is_a_new_entry(noted):
    for version in (1, 2, 1):
        noted.note("promotion", version)

    assert noted.decided == [("promotion", 1), ("promotion", 2), ("promotion", 1)]
