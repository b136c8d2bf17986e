from __future__ import annotations

from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from deploy.embedded import lifecycle
from deploy.embedded.errors import StackError
from deploy.embedded.stack import load_stack, save_stack
from pipeline.file_lock import file_lock

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Stack


def test_stopping_what_was_never_started_says_so_and_makes_no_folder(stack: Stack, tmp_path: Path):
    said: list[str] = []

    lifecycle.down(replace(stack.layout, home=tmp_path / "none"), said.append)

    assert "nothing runs" in said[0]
    assert not (tmp_path / "none").exists()


def test_two_that_start_or_stop_the_same_stack_come_one_after_the_other(stack: Stack):
    said: list[str] = []
    held, waiting = Event(), Event()

    def hold() -> None:
        with file_lock(stack.layout.run / "lock"):
            held.set()
            waiting.wait(30)

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    first = Thread(target=hold)
    first.start()
    held.wait(30)

    lifecycle.down(stack.layout, say)
    first.join()

    assert ["waiting for it" in line for line in said] == [True, False]


def test_databases_whose_password_is_lost_are_not_waited_for(stack: Stack):
    stack.layout.cluster.mkdir()

    with pytest.raises(StackError, match=r"password of the databases.*Restore"):
        lifecycle.up(stack.layout, {}, print)


def test_a_taken_port_stops_the_start_before_anything_is_made(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deploy.embedded.ports.port_is_free", lambda _: False)

    with pytest.raises(StackError, match="Port 7000"):
        lifecycle.up(stack.layout, {"PLIMSOLL_MLFLOW_PORT": "7000"}, print)

    assert not stack.layout.cluster.exists()


class PreparedError(Exception):
    """The start went on to what comes after stopping."""


def test_a_running_stack_of_an_older_release_is_stopped_and_gets_its_roles(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    save_stack(replace(stack, secrets=replace(stack.secrets, role_passwords={})))
    stopped: list[object] = []

    def prepared(*_: object) -> None:
        raise PreparedError

    monkeypatch.setattr(lifecycle.supervision, "program_states", lambda _: {})
    monkeypatch.setattr(lifecycle, "_stop_parts", stopped.append)
    monkeypatch.setattr(lifecycle.postgres, "initialise_cluster", prepared)
    monkeypatch.setattr(lifecycle.leftovers, "find_leftovers", lambda _: [])
    said: list[str] = []

    with pytest.raises(PreparedError):
        lifecycle.up(stack.layout, {}, said.append)

    assert stopped == [stack.layout]
    assert "and its services get database roles of their own" in said
    upgraded = load_stack(stack.layout)
    assert upgraded is not None
    assert upgraded.has_roles
    assert replace(upgraded.secrets, role_passwords={}) == replace(stack.secrets, role_passwords={})
