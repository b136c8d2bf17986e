from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from deploy.embedded.errors import StackError
from deploy.embedded.layout import LONGEST_SOCKET, create_folders, find_layout
from pipeline.settings import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def test_the_state_lies_in_the_repository_by_default():
    layout = find_layout({})

    assert layout.home == REPOSITORY / ".plimsoll"
    assert layout.dags is None
    assert layout.detectors == REPOSITORY / "detectors"


def test_folders_given_by_the_environment_are_honoured(tmp_path: Path):
    layout = find_layout(
        {
            "PLIMSOLL_HOME": str(tmp_path / "home"),
            "PLIMSOLL_DAGS": str(tmp_path / "dags"),
            "PLIMSOLL_DETECTORS": str(tmp_path / "detectors"),
        }
    )

    assert layout.home == tmp_path / "home"
    assert layout.dags == tmp_path / "dags"
    assert layout.detectors == tmp_path / "detectors"


def test_a_new_home_can_be_entered_by_its_owner_only(tmp_path: Path):
    layout = find_layout({"PLIMSOLL_HOME": str(tmp_path / "deep" / "home")})

    create_folders(layout)

    assert stat.S_IMODE(layout.home.stat().st_mode) == 0o700


def test_creating_the_folders_twice_changes_nothing(tmp_path: Path):
    layout = find_layout({"PLIMSOLL_HOME": str(tmp_path)})

    create_folders(layout)
    (layout.lake / "kept").touch()
    create_folders(layout)

    assert (layout.lake / "kept").exists()


def test_a_deep_home_gets_a_socket_path_that_the_system_can_hold(tmp_path: Path):
    deep = tmp_path / ("x" * 60) / ("y" * 60)

    socket = find_layout({"PLIMSOLL_HOME": str(deep)}).socket

    assert len(str(socket)) <= LONGEST_SOCKET


def test_two_deep_homes_have_two_sockets(tmp_path: Path):
    deep = tmp_path / ("x" * 90)

    sockets = {find_layout({"PLIMSOLL_HOME": str(deep / name)}).socket for name in "ab"}

    assert len(sockets) == 2


def test_a_home_that_the_supervisor_cannot_use_is_refused_with_the_fix(tmp_path: Path):
    with pytest.raises(StackError, match=r"does not accept %.*PLIMSOLL_HOME"):
        find_layout({"PLIMSOLL_HOME": str(tmp_path / "100%")})
