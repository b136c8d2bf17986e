"""Foreign text in Markdown: what a renderer makes of it is the text itself."""

import re
from html import unescape

import pytest

from pipeline.report.markdown import Markup, escaped, table

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "![x](http://evil/pixel.png)",
    "[click](javascript:alert(1))",
    "http://evil.example/a and www.evil.example",
    "a | b | c",
    "**bold** _it_ `code` ~~gone~~",
    "&lt;b&gt; \\| \\",
    "# heading",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_markup_is_left_and_the_text_reads_the_same(text):
    shown = escaped(text)

    assert unescape(shown) == text
    assert not re.search(r"[<>\[\]`*|~\\]|://|www\.|^#", shown)


def test_plain_names_stay_as_they_are():
    for name in ("R80711", "flow_vs_peers", "wind speed", "3.2 (0.1 to 4)", "+4.1%", "Süd-2"):
        assert escaped(name) == name


def test_control_characters_and_line_breaks_end_no_row():
    shown = table(("Entity",), [("a\n| forged |\x1b[2J",)])

    assert len(shown.splitlines()) == 3
    assert "\x1b" not in shown


def test_only_markup_of_our_own_is_shown_as_such():
    shown = table(("A", "B"), [("**a**", Markup("**FAIL**"))])

    assert "&#42;&#42;a&#42;&#42;" in shown
    assert "**FAIL**" in shown
