"""The commands that take something away: they show it first."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipeline import staging
from pipeline.cli import main
from pipeline.store.ingestions import Attempt, latest_states, record
from tests.steps.asked import put_detector

STRAY = date(2026, 11, 29)


@pytest.fixture
def pumps(tmp_path, monkeypatch):
    from pipeline import settings

    for variable in ("STORAGE", "DETECTORS", "CACHE"):
        folder = tmp_path / variable.lower()
        folder.mkdir()
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(folder))
    here = settings.load()
    put_detector(here)
    at = datetime(2026, 11, 30, tzinfo=UTC)
    record(here, "pumps", [Attempt(STRAY, at, "r", "empty", "empty")])
    return here


def is_on_record(here) -> bool:
    return STRAY in {each.day for each in latest_states(here, "pumps")}


def test_a_day_is_taken_back_with_yes_and_a_reason_only(pumps, capsys):
    asked = ["forget", "pumps", str(STRAY)]

    assert main(asked) == 0
    assert "nothing is changed yet" in capsys.readouterr().out
    assert main([*asked, "--yes"]) == 2
    assert "no reason is given" in capsys.readouterr().err
    assert is_on_record(pumps)

    assert main([*asked, "--yes", "--reason", "a slip", "--author", "ann"]) == 0
    assert "is taken back" in capsys.readouterr().out
    assert not is_on_record(pumps)


@pytest.mark.usefixtures("pumps")
def test_an_invalid_day_is_refused(capsys):
    assert main(["forget", "pumps", "29.11.2026"]) == 2
    assert "'29.11.2026' is no day; write 2026-11-29" in capsys.readouterr().err


def test_a_detector_is_removed_with_a_word_only(pumps, capsys):
    file = pumps.detectors / "pumps.yaml"

    assert main(["remove", "pumps", "--tables", "archive"]) == 0
    printed = capsys.readouterr().out
    assert "would be removed; nothing is changed yet" in printed
    assert "are moved to" in printed
    assert "pipeline remove pumps --tables archive --yes" in printed
    assert file.exists()

    assert main(["remove", "pumps", "--tables", "archive", "--yes"]) == 0
    assert not file.exists()
    assert staging.names_at(pumps.storage) == ["_archive"]


@pytest.mark.usefixtures("pumps")
def test_an_unknown_detector_is_an_error_that_suggests_the_nearest(capsys):
    assert main(["remove", "pumsp"]) == 2
    assert "the nearest: pumps" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["label", "pumps", "--list"],
        ["channel", "pumps", "--list"],
        ["forget", "pumps", "2026-11-29"],
        ["remove", "pumps"],
    ],
    ids=lambda words: words[0],
)
def test_where_no_stack_ever_was_every_command_says_so(monkeypatch, capsys, tmp_path, words):
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("PLIMSOLL_STORAGE", raising=False)

    assert main(words) == 2
    assert "no stack was ever started" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []  # and makes no world of its own
