import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.printable import lines, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R80711", "R80711"),
        ("Pumpe Süd\xa03, 東", "Pumpe Süd\xa03, 東"),
        ("a\nlast scored 2099-01-01", r"a\nlast scored 2099-01-01"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\r\tb\x00", r"a\r\tb\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2028b\u200b\ufeff", r"a\u2028b\u200b\ufeff"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_would_steer_a_terminal_is_made_visible(text, shown):
    assert one_line(text) == shown


def test_a_very_long_name_is_cut():
    assert one_line("x" * 5000, most=100) == "x" * 97 + "..."
    assert one_line("x" * 100, most=100) == "x" * 100


def test_our_own_lines_stay_lines():
    assert lines("one\ntwo\x1b[0m") == "one\ntwo\\x1b[0m"


@given(st.text())
def test_whatever_comes_in_one_printable_line_comes_out(text):
    shown = one_line(text, most=50)

    assert len(shown) <= 50
    assert shown.splitlines() in ([], [shown])
    assert all(each.isprintable() or unicodedata.category(each) == "Zs" for each in shown)
