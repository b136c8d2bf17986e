"""The TCP ports of the loopback interface on which the stack listens."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

from deploy.embedded.errors import StackError

HOST = "127.0.0.1"
# PostgreSQL's usual 5432 is left to the PostgreSQL that the machine may already have.
DEFAULTS = {"airflow": 8080, "mlflow": 5000, "postgres": 5433}
LAST_PORT = 65535
SEARCHED = 200  # ports tried above the wanted one before giving up


@dataclass(frozen=True)
class Ports:
    """One TCP port for each service."""

    airflow: int
    mlflow: int
    postgres: int


def variable_of(service: str) -> str:
    """The environment variable for the port of `service`."""
    return f"PLIMSOLL_{service.upper()}_PORT"


def requested_ports(environment: Mapping[str, str]) -> dict[str, int]:
    """Ports asked for by the environment, by service.

    Raises:
        StackError: a value is not a port number.
    """
    requested = {}
    for service in DEFAULTS:
        text = environment.get(variable_of(service), "").strip()
        if not text:
            continue
        if not (text.isdecimal() and 1 <= int(text) <= LAST_PORT):
            raise StackError(
                f"{variable_of(service)}={text!r} is not a port. Give a number from 1024 to "
                f"{LAST_PORT}, or unset it to let `up` find one."
            )
        requested[service] = int(text)
    return requested


def choose_ports(
    requested: Mapping[str, int],
    remembered: Ports | None,
    say: Callable[[str], None],
    is_free: Callable[[int], bool] | None = None,
) -> Ports:
    """Three different free ports: the requested, else the remembered or default or one above it.

    Raises:
        StackError: a requested port is in use, or none is free in the range searched.
    """
    free = is_free or port_is_free
    chosen: dict[str, int] = {}
    for service, port in requested.items():
        if port in chosen.values():
            raise StackError(
                f"{variable_of(service)}={port} is given to two services; choose another."
            )
        if not free(port):
            raise StackError(
                f"Port {port} ({variable_of(service)}) is in use{owner_of(port)}. Stop that "
                f"process, choose another port, or unset {variable_of(service)} to let `up` "
                "find a free one."
            )
        chosen[service] = port
    for service, default in DEFAULTS.items():
        if service in chosen:
            continue
        wanted = getattr(remembered, service) if remembered else default
        chosen[service] = _next_free(wanted, used=set(chosen.values()), is_free=free)
        if chosen[service] != wanted:
            say(f"port {wanted} is in use{owner_of(wanted)}: {service} uses {chosen[service]}")
    return Ports(**chosen)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback interface now."""
    with socket.socket() as probe:
        # A listener on all addresses does not stop a bind to one of them on macOS; a connection
        # finds it there.
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def owner_of(port: int) -> str:
    """The process on `port`, to follow "is in use": " by python (pid 12)", or "" when unknown."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        if listens and connection.pid:
            try:
                name = psutil.Process(connection.pid).name()
            except psutil.Error:
                return f" by pid {connection.pid}"
            return f" by {name} (pid {connection.pid})"
    return ""


def _next_free(wanted: int, *, used: set[int], is_free: Callable[[int], bool]) -> int:
    for port in range(wanted, min(wanted + SEARCHED, LAST_PORT + 1)):
        if port not in used and is_free(port):
            return port
    raise StackError(
        f"None of the ports {wanted} to {wanted + SEARCHED - 1} is free. Set "
        f"{', '.join(variable_of(service) for service in DEFAULTS)} to free ones."
    )
