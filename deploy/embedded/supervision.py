"""Requests to the stack's supervisord: start it, start and stop programs, end it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Error as RpcError
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from deploy.embedded.errors import StackError
from deploy.embedded.layout import Layout

ALIVE = frozenset({"STARTING", "RUNNING", "BACKOFF"})
POLL_S = 0.2


@dataclass(frozen=True)
class ProgramState:
    """The supervisor's state of one program; `pid` is 0 unless it runs."""

    name: str
    state: str
    pid: int
    uptime_s: int


def start_supervisor(layout: Layout, configuration: Path, environment: Mapping[str, str]) -> None:
    """Start the daemon, which passes `environment` to every program.

    Raises:
        StackError: it did not start.
    """
    layout.socket.unlink(missing_ok=True)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, check=False, umask=0o077
    )
    if done.returncode != 0 or not _comes_up(layout, limit_s=10):
        raise StackError(
            f"The supervisor did not start: {(done.stdout + done.stderr).strip() or 'no answer'}. "
            f"See {layout.log_of('supervisor')}."
        )


def program_states(layout: Layout) -> dict[str, ProgramState] | None:
    """The state of every program, None when no supervisor answers."""
    try:
        with _supervisor(layout) as supervisor:
            answer: Any = supervisor.getAllProcessInfo()
    except (OSError, RpcError):
        return None
    return {
        info["name"]: ProgramState(
            name=info["name"],
            state=info["statename"],
            pid=info["pid"],
            uptime_s=max(0, info["now"] - info["start"]) if info["pid"] else 0,
        )
        for info in answer
    }


def start_program(layout: Layout, name: str) -> None:
    """Ask for the start of a program that is not alive; does not wait for it."""
    states = program_states(layout) or {}
    if name in states and states[name].state in ALIVE:
        return
    with _supervisor(layout) as supervisor:
        supervisor.startProcess(name, False)  # noqa: FBT003 - XML-RPC has no keywords


def stop_programs(layout: Layout, names: Sequence[str]) -> None:
    """Stop the programs side by side; returns when the supervisor has seen the last one end."""
    states = program_states(layout) or {}
    alive = [name for name in names if name in states and states[name].state in ALIVE]
    for name in alive:
        with _supervisor(layout) as supervisor:
            supervisor.stopProcess(name, False)  # noqa: FBT003 - XML-RPC has no keywords
    while any(
        state.pid for state in (program_states(layout) or {}).values() if state.name in alive
    ):
        time.sleep(POLL_S)


def end_supervisor(layout: Layout) -> None:
    """Ask the daemon to end; returns at once."""
    with _supervisor(layout) as supervisor:
        supervisor.shutdown()


@contextmanager
def _supervisor(layout: Layout) -> Iterator[Any]:
    transport = SupervisorTransport(None, None, f"unix://{layout.socket}")
    try:
        # The address is never used: the transport connects to the socket.
        yield ServerProxy("http://localhost", transport=transport).supervisor
    finally:
        transport.close()


def _comes_up(layout: Layout, *, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if program_states(layout) is not None:
            return True
        time.sleep(POLL_S)
    return False
