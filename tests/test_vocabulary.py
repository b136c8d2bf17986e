"""The code speaks the words of docs/glossary.md, and each class has a name of its own."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from tests.vocabulary import banned, persisted, used_in_code, used_in_text

REPOSITORY = Path(__file__).parents[1]
PRODUCT = ("pipeline", "dags", "plugins", "deploy", "benchmarks")
SETTINGS = (
    "pyproject.toml", "Makefile", "docker-compose.yml", ".env.example", ".github/workflows/*.yml",
    "requirements*.in", "detectors/*.yaml", "deploy/prometheus/*/*.yml", "deploy/Dockerfile",
)  # fmt: skip


def modules(*parts: str) -> list[Path]:
    return sorted(path for part in parts for path in (REPOSITORY / part).rglob("*.py"))


def without_empty(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {path: words for path, words in found.items() if words}


def test_each_class_has_a_name_of_its_own():
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules(*PRODUCT):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(REPOSITORY)))

    assert places
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_and_no_test_uses_a_word_that_the_glossary_bans():
    used = {
        str(path.relative_to(REPOSITORY)): [
            *used_in_code(path.read_text(encoding="utf-8")),
            *used_in_text(path.stem),
        ]
        for path in modules(*PRODUCT, "tests")
        if path != Path(__file__)  # which shows such words
    }

    assert len(used) > 700
    assert without_empty(used) == {}


def test_no_settings_file_uses_a_word_that_the_glossary_bans():
    paths = [path for pattern in SETTINGS for path in sorted(REPOSITORY.glob(pattern))]
    used = {path.name: used_in_text(path.read_text(encoding="utf-8")) for path in paths}

    assert len(used) > 10
    assert without_empty(used) == {}


def test_the_glossary_gives_the_banned_words_and_the_persisted_names():
    assert banned().findall("Redrawn, museum and Mends; amended wholes, a runbook") == [
        "Redrawn", "museum", "Mends"
    ]  # fmt: skip
    assert persisted() >= {"standing", "basis", "drawn_from"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def redraw_line(): pass", ["redraw"]),
        ("# the mend", ["mend"]),
        ("x = {'standing': day.standing}", []),
        ("# its standing", ["standing"]),
        ('"""Of a day.\n\n    standing: after the attempt.\n"""', []),
        ("tags['drawn_on'] = f'{drawn_from}'", []),
        ("log.info('key_drawn')", ["drawn"]),
        ("the_basis = 1", ["basis"]),
    ],
)
def test_a_persisted_name_is_passed_over_only_as_a_name(source: str, words: list[str]):
    assert used_in_code(source) == words
