"""The output of the demo while it runs."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from deploy.airflow_api import TaskState
from deploy.demo import progress
from deploy.demo.progress import Progress


def test_a_line_begins_with_the_seconds_so_far(capsys):
    Progress().say("ready")

    assert capsys.readouterr().out == "[   0 s] ready\n"


def test_a_task_that_is_done_is_shown_with_its_duration(capsys):
    Progress().task(TaskState("train", -1, "success", 1, 12.34))

    assert capsys.readouterr().out == "[   0 s]     train      success  12.3 s\n"


def test_a_running_task_has_no_duration_yet(capsys):
    Progress().task(TaskState("train", -1, "running", 1, 0.4))

    assert capsys.readouterr().out.endswith("train      running\n")


@pytest.mark.parametrize("state", [None, "scheduled", "queued"])
def test_waiting_for_its_turn_is_not_printed(capsys, state):
    Progress().task(TaskState("train", -1, state, 0, None))

    assert capsys.readouterr().out == ""


def test_the_runs_of_a_backfill_are_counted_by_state(capsys):
    Progress().runs(Counter(success=3, queued=2))

    assert capsys.readouterr().out.endswith("    2 queued, 3 success\n")


def test_a_long_silence_is_broken_by_saying_what_is_waited_for(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LONGEST_SILENCE_S", 0.1)

    with Progress().patience("training"):
        time.sleep(1.5)

    assert "... training, 1 s so far" in capsys.readouterr().out


def test_a_step_that_is_quick_says_nothing_more(capsys):
    with Progress().patience("training"):
        pass

    assert capsys.readouterr().out == ""
