"""The code speaks the words of docs/glossary.md, and each class has a name of its own."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PRODUCT = ("pipeline", "dags", "plugins", "deploy", "benchmarks")
BANNED = re.compile(
    r"(?i)(?<![a-z])(redraw[a-z]*|museums?|lessons?|mend(?:s|ed)?|vouching)(?![a-z])"
)
"""Words of this house alone; the glossary has the field's word for each."""


def modules() -> list[Path]:
    return sorted(path for part in PRODUCT for path in (REPOSITORY / part).rglob("*.py"))


def test_each_class_has_a_name_of_its_own():
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(REPOSITORY)))

    assert places
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_uses_a_word_that_the_glossary_bans():
    used = {
        str(path.relative_to(REPOSITORY)): sorted(set(BANNED.findall(path.read_text("utf-8"))))
        for path in modules()
    }

    assert {path: words for path, words in used.items() if words} == {}
