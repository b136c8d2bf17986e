"""The words of the documents are those of the glossary, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from deploy.documents.blocks import written
from pipeline.data.label import Verdict
from pipeline.drift.result import Kind
from tests.vocabulary import BANNED, used_in_text

REPOSITORY = Path(__file__).parents[3]
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def shown(page: Path) -> str:
    """What people wrote, without what a program printed and without the list of banned words."""
    text = written(page.read_text(encoding="utf-8")).partition(f"## {BANNED}")[0]
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", text)


@every_page
def test_no_page_uses_a_word_that_the_glossary_bans(page: Path):
    assert used_in_text(shown(page)) == []


@every_page
def test_every_path_of_the_repository_that_a_page_names_is_there(page: Path):
    named = re.findall(r"`((?:pipeline|dags|deploy|tests|benchmarks)/[\w./-]+)`", shown(page))

    assert [each for each in named if not (REPOSITORY / each).exists()] == []


def test_the_glossary_has_the_verdicts_of_labels_and_of_drift():
    glossary = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")

    words = (*get_args(Verdict), *get_args(Kind))
    assert {word for word in words if f"`{word}`" not in glossary} == set()


def test_the_settings_page_has_every_variable_that_the_pipeline_reads():
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    readers = ("pipeline/settings.py", "pipeline/ledger/keyring.py")
    read = {
        name
        for path in readers
        for name in re.findall(r"\b(?:PLIMSOLL|MLFLOW)_[A-Z_]+\b", (REPOSITORY / path).read_text())
    }

    assert {name for name in read if name not in page} == set()


def test_the_readme_is_short():
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []
