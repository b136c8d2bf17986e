"""Every relative link and picture of the documents leads somewhere, to its heading too."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY))
)


def without_code(text: str) -> str:
    """Markdown without what is shown as code, in blocks or in a line."""
    blocks = re.sub(r"(?ms)^ *```.*?^ *```$", "", text)
    return re.sub(r"`[^`\n]*`", "", blocks)


def links_of(text: str) -> list[str]:
    """Targets of links and pictures, in place or by reference; other sites are left out."""
    plain = without_code(text)
    found = re.findall(r"\]\(([^()\s]+)\)", plain) + re.findall(r"(?m)^\[[^\]]+\]: (\S+)$", plain)
    return [each for each in found if not re.match(r"[a-z]+:", each)]


def slug(heading: str) -> str:
    """GitHub's anchor of a heading: small letters, blanks as hyphens, no other signs."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Anchors of a page's headings; of equal ones the later have a number behind."""
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))
    found: list[str] = []
    for heading in re.findall(r"(?m)^#{1,6} (.+)$", text):
        same = sum(
            re.fullmatch(rf"{re.escape(slug(heading))}(-\d+)?", each) is not None for each in found
        )
        found.append(f"{slug(heading)}-{same}" if same else slug(heading))
    return frozenset(found)


def why_not(page: Path, link: str) -> str | None:
    """The fault of a link of a page; None: its target exists."""
    place, _, anchor = link.partition("#")
    target = (page.parent / place).resolve() if place else page
    if not target.exists():
        return f"{link}: no such file"
    if not target.is_relative_to(REPOSITORY):
        return f"{link}: outside of the repository"
    if anchor and (target.suffix != ".md" or anchor not in anchors_of(target)):
        return f"{link}: no such heading"
    return None


@every_page
def test_every_link_and_picture_leads_somewhere(page: Path):
    links = links_of(page.read_text(encoding="utf-8"))

    assert [why for link in links if (why := why_not(page, link))] == []


@every_page
def test_every_link_by_reference_is_defined(page: Path):
    text = without_code(page.read_text(encoding="utf-8"))
    used = set(re.findall(r"\]\[([^\]]+)\]", text))

    assert used == set(re.findall(r"(?m)^\[([^\]]+)\]: ", text))


def test_a_page_is_reached_from_the_readme():
    linked = {
        (REPOSITORY / link.partition("#")[0]).resolve()
        for link in links_of((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    }

    assert {str(page.relative_to(REPOSITORY)) for page in PAGES[1:] if page not in linked} == set()


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("A query only reads", "a-query-only-reads"),
        ("`kind: csv`", "kind-csv"),
        ("What is proven, and what is not", "what-is-proven-and-what-is-not"),
        ("`fine_tuning`", "fine_tuning"),
        ("Who may see it: TLS and a proxy", "who-may-see-it-tls-and-a-proxy"),
    ],
)
def test_a_heading_has_the_anchor_that_github_gives_it(heading: str, anchor: str):
    assert slug(heading) == anchor


@pytest.mark.parametrize("link", ["docs/absent.md", "docs/security.md#absent", "../elsewhere.md"])
def test_a_link_that_leads_nowhere_is_found(link: str):
    assert why_not(REPOSITORY / "README.md", link)
