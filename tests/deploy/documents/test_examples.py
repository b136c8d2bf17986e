"""Detector files that the documents show are ones that `check` takes."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import DetectorSpec, load_detector

REPOSITORY = Path(__file__).parents[3]


def examples(page: str) -> list[str]:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [textwrap.dedent(found) for found in re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```$", text)]


@pytest.mark.parametrize("page", ["README.md", "docs/own-data.md"])
def test_the_first_detector_file_that_a_page_shows_is_right(page: str, tmp_path: Path):
    (shown,) = examples(page)
    path = tmp_path / "press.yaml"
    path.write_text(shown, encoding="utf-8")

    assert load_detector(path).name == "press"


def test_the_choices_that_the_page_of_models_shows_are_right():
    (shown,) = examples("docs/models.md")
    (file,) = examples("docs/own-data.md")
    chosen: dict[str, Any] = yaml.safe_load(shown)
    del chosen["validation"]  # for the family masked, as its comment says
    sections = yaml.safe_load(file) | chosen

    assert DetectorSpec.model_validate(sections).model.family == "denoising"
