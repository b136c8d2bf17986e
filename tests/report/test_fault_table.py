from __future__ import annotations

from pipeline.report import fault_table

GRADES = {"spike": {1.0: 0.25, 1.5: 0.8, 2.0: 1.0}, "stuck": {6.0: 0.1}, "swap": {1.0: 0.5}}


def fault_section(grades: fault_table.Grades, champion: fault_table.Grades) -> str:
    """Without the spaces that keep columns apart in a browser."""
    return fault_table.fault_section(grades, champion).replace(" &emsp;", "")


def test_every_kind_shows_what_is_caught_at_every_size() -> None:
    text = fault_section(GRADES, {})

    assert "| spike | 1: 25%, 1.5: 80%, 2: 100% (sd) | - |" in text
    assert "| stuck | 6: 10% (rows) | - |" in text


def test_a_fault_without_a_size_shows_a_share_alone() -> None:
    assert "| swap | 50% | - |" in fault_section(GRADES, {})


def test_the_champion_is_in_the_next_column() -> None:
    text = fault_section(GRADES, {"swap": {1.0: 0.75}})

    assert "| swap | 50% | 75% |" in text


def test_where_no_fault_could_be_planted_it_says_so() -> None:
    text = fault_section({}, {})

    assert "**Not judged.** No fault could be planted" in text
    assert "Set schema.cadence" in text
