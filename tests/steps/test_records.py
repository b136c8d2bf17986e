from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.ledger import verify
from pipeline.settings import Settings
from pipeline.steps.candidate import Candidate
from pipeline.steps.records import append_decision, read_ledger
from pipeline.steps.training.gating import Judged


@dataclass
class Book:
    """A ledger in a temporary folder."""

    here: Settings

    def note(self, action: Any, version: int) -> None:
        judged = Judged(
            candidate=Candidate("pump", f"c{version}", "unused", f"run-{version}"),
            version=version,
            passed=True,
            reason="",
            champion=None,
            card="card",
        )
        append_decision(self.here, judged, action, replaced=None, who="test", why="because")

    @property
    def decided(self) -> list[tuple[str, int]]:
        entries = read_ledger(self.here, "pump")
        verify(entries)
        return [(entry.decision.action, entry.decision.version) for entry in entries]


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(
        Settings(
            storage=str(tmp_path),
            detectors=tmp_path,
            data="",
            cache=tmp_path,
            lineage=tmp_path,
            mlflow_uri="",
            mlflow_url="",
            database=None,
        )
    )


def test_a_repeated_promotion_is_one_entry_whatever_was_rejected_meanwhile(book):
    book.note("promotion", 1)
    book.note("rejection", 2)
    book.note("promotion", 1)

    assert book.decided == [("promotion", 1), ("rejection", 2)]


def test_a_repeated_rejection_is_one_entry_whatever_was_decided_meanwhile(book):
    book.note("rejection", 1)
    book.note("promotion", 2)
    book.note("rejection", 1)

    assert book.decided == [("rejection", 1), ("promotion", 2)]


def test_a_version_that_comes_back_is_a_new_entry(book):
    for version in (1, 2, 1):
        book.note("promotion", version)

    assert book.decided == [("promotion", 1), ("promotion", 2), ("promotion", 1)]
