"""The words that the glossary bans, and where a text uses them.

`docs/glossary.md` has the only list. A name that is persisted may be banned as a word: it is passed
over where it can only be the name, so as an identifier, in quotes or backticks, or after a dot, or
before the colon of a list of attributes.
"""

from __future__ import annotations

import io
import re
import tokenize
from functools import cache
from pathlib import Path

GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"
BANNED, PERSISTED = "Words that are not used", "Old names that are kept"
_CODED = re.compile(r"`([^`]+)`")


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below `## heading`, each as its cells."""
    below = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.search(r"(?m)(?:^\|.*\n)+", below)
    lines = table.group().splitlines()[2:] if table else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def banned() -> re.Pattern[str]:
    """A pattern of the banned words; `*` in the glossary stands for any ending."""
    cells = [row[0] for row in rows_of(GLOSSARY.read_text(encoding="utf-8"), BANNED)]
    words = [word.replace("*", "[a-z]*") for cell in cells for word in _CODED.findall(cell)]
    return re.compile(rf"(?i)(?<![a-z])(?:{'|'.join(words)})(?![a-z])")


@cache
def persisted() -> frozenset[str]:
    """Names that a table, a file, a metric or MLflow keeps."""
    cells = [row[0] for row in rows_of(GLOSSARY.read_text(encoding="utf-8"), PERSISTED)]
    return frozenset(name for cell in cells for name in _CODED.findall(cell))


@cache
def _as_names() -> re.Pattern[str]:
    names = "|".join(sorted(map(re.escape, persisted()), key=len, reverse=True))
    compound = "|".join(re.escape(name) for name in persisted() if "_" in name)
    places = (
        rf"(?<![a-z_])(?:{compound})(?![a-z_])",
        rf"[`\"'](?:{names})[`\"']",
        rf"\.(?:{names})(?![a-z_])",
        rf"(?m:^\s*(?:{names}):)",
    )
    return re.compile("|".join(places))


def used_in_text(text: str) -> list[str]:
    """The banned words in `text`."""
    return banned().findall(_as_names().sub(" ", text))


def used_in_code(source: str) -> list[str]:
    """The banned words in the identifiers, texts and comments of a Python module."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [
        word
        for token in tokens
        if not (token.type == tokenize.NAME and token.string in persisted())
        for word in used_in_text(token.string)
    ]
