"""Generated parts of docs/: what is committed is what the code says now, with nothing left out."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from deploy.documents.blocks import filled, written
from deploy.documents.detector_file import meaning, sections
from deploy.documents.keys import keys_of
from deploy.documents.markdown import table
from deploy.documents.pages import FOLDER, PAGES, current
from pipeline.cli import COMMANDS
from pipeline.config.calibration import Method
from pipeline.data.sources import SOURCES
from pipeline.detector.models.families import MODELS
from pipeline.detector.scores import SCORES
from pipeline.gate import CHECKS

KEYS = [
    pytest.param(section, key, id=f"{section.__name__}.{key.name}")
    for section in sections()
    for key in keys_of(section)
]


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_the_code_renders(name: str):
    assert page(name) == current(name), "run `make docs` and commit the result"


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_each_key_of_a_detector_file_has_a_type_a_default_and_a_meaning(section, key):
    assert all((key.accepts, key.default, meaning(section, key)))


def test_the_reference_has_every_kind_that_is_registered():
    headings = set(re.findall(r"(?m)^#### `((?:kind|family): \w+)`$", page("detector-file.md")))

    assert headings == {
        *(f"kind: {kind}" for kind in (*SOURCES, *SCORES)),
        *(f"family: {family}" for family in MODELS),
    }


def test_every_threshold_method_and_every_check_is_named():
    missing = {name for name in get_args(Method) if f"`{name}`" not in page("models.md")}
    missing |= {name for name in CHECKS if f"`{name}`" not in page("architecture.md")}

    assert missing == set()


def test_every_command_has_a_heading():
    assert set(re.findall(r"(?m)^## (\w+)$", page("command-line.md"))) == set(COMMANDS)


def test_a_page_without_a_block_for_a_content_is_refused():
    with pytest.raises(ValueError, match="one"):
        filled("no block", {"one": "content"})


def test_only_blocks_change_and_a_second_time_nothing_does():
    text = "before\n<!-- generated one: make docs -->\nold\n<!-- end -->\nafter"

    once = filled(text, {"one": "new \\1"})

    assert once == filled(once, {"one": "new \\1"})
    assert "new \\1" in once
    assert "old" not in once
    assert written(once) == "before\n\nafter"


def test_a_cell_may_hold_what_separates_cells_and_lines():
    assert table(["a"], [["x | y\nz"]]).splitlines()[-1] == "| x \\| y z |"
