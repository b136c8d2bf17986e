from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.embedded.leftovers import end_processes, find_leftovers, mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.embedded.stack import Stack


@pytest.fixture
def orphan(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the stack that leads its own group, as a running task does."""
    environment = {**os.environ, **mark(stack.layout)}
    process = subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_that_outlived_its_supervisor_is_found_and_ended(
    stack: Stack, orphan: subprocess.Popen[bytes]
):
    found = find_leftovers(stack.layout)

    end_processes(found)

    assert [process.pid for process in found] == [orphan.pid]
    assert find_leftovers(stack.layout) == []


@pytest.mark.usefixtures("orphan")
def test_processes_of_another_stack_are_left_alone(stack: Stack, tmp_path: Path):
    other = replace(stack.layout, home=tmp_path / "other")

    assert find_leftovers(other) == []


def test_a_stale_lock_file_of_the_database_names_no_process(stack: Stack):
    stack.layout.cluster.mkdir()
    (stack.layout.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n")

    assert find_leftovers(stack.layout) == []
