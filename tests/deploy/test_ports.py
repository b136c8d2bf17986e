from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from deploy.embedded.errors import StackError
from deploy.embedded.ports import HOST, Ports, choose_ports, port_is_free, requested_ports

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_default_ports_are_used_when_they_are_free():
    ports = choose_ports({}, None, print, is_free=lambda _: True)

    assert ports == Ports(airflow=8080, mlflow=5000, postgres=5433)


def test_a_taken_default_port_gives_way_to_the_next_free_one_and_says_so():
    said: list[str] = []

    ports = choose_ports({}, None, said.append, is_free=lambda port: port not in {8080, 8081})

    assert ports.airflow == 8082
    assert len(said) == 1
    assert "8080" in said[0]
    assert "8082" in said[0]


def test_the_ports_of_the_first_start_are_kept():
    remembered = Ports(airflow=9001, mlflow=9002, postgres=9003)

    assert choose_ports({}, remembered, print, is_free=lambda _: True) == remembered


def test_a_requested_port_wins_over_a_remembered_one():
    remembered = Ports(airflow=9001, mlflow=9002, postgres=9003)

    ports = choose_ports({"mlflow": 7000}, remembered, print, is_free=lambda _: True)

    assert ports == Ports(airflow=9001, mlflow=7000, postgres=9003)


def test_two_services_never_share_a_port():
    ports = choose_ports({"postgres": 8080}, None, lambda _: None, is_free=lambda _: True)

    assert ports.airflow == 8081


def test_one_port_requested_for_two_services_is_refused():
    with pytest.raises(StackError, match="two services"):
        choose_ports({"mlflow": 7000, "airflow": 7000}, None, print, is_free=lambda _: True)


def test_a_taken_requested_port_is_an_error_that_names_port_variable_and_process(used_port: int):
    with pytest.raises(StackError) as failure:
        choose_ports({"airflow": used_port}, None, print)

    for part in (str(used_port), "PLIMSOLL_AIRFLOW_PORT", f"pid {os.getpid()}", "unset"):
        assert part in str(failure.value)


def test_a_port_with_a_listener_is_not_free(used_port: int):
    assert not port_is_free(used_port)


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "80.5"])
def test_a_request_that_is_no_port_is_refused(value: str):
    with pytest.raises(StackError, match="PLIMSOLL_MLFLOW_PORT"):
        requested_ports({"PLIMSOLL_MLFLOW_PORT": value})


def test_an_empty_request_is_no_request():
    assert requested_ports({"PLIMSOLL_MLFLOW_PORT": ""}) == {}
