"""The whole stack: a network of its own, its services in the order of the file, kept alive."""

from __future__ import annotations

import ctypes
import subprocess
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stack.composed import Service
from tests.stack.container import Container, children_of, make_volumes

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLL_S = 0.5
_LOOK_S = 10.0  # each look takes a third of a second of a core
_NEW_NETWORK = 0x40000000


class UnhealthyError(AssertionError):
    """A service ended or did not become healthy."""


@dataclass
class Stack:
    """Services that are up.

    Attributes:
        healthy_after: seconds from the start of the stack to the health of each container.
        restarted: containers that ended by themselves and were started again, as an engine does.
        peak: the most bytes that were seen of each container, looked at every few seconds.
    """

    holder: subprocess.Popen[bytes]
    network: int
    containers: dict[str, Container]
    tools: dict[str, Container]
    healthy_after: dict[str, float] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)
    peak: dict[str, int] = field(default_factory=dict)
    given_up: threading.Event = field(default_factory=threading.Event)

    def __getitem__(self, name: str) -> Container:
        return self.containers[name]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread's new connections, and those of threads it starts, begin there."""
        with Path("/proc/thread-self/ns/net").open() as before:
            _enter(f"/proc/{self.network}/ns/net")
            try:
                yield
            finally:
                _set_network(before.fileno())

    def bring_up(self, *, limit_s: float) -> None:
        """Start every service as soon as what it needs is there; returns when all are healthy.

        Raises:
            UnhealthyError: one ended or took too long; shows its log.
        """
        began = time.monotonic()
        with ThreadPoolExecutor(len(self.containers)) as pool:
            waiting = [
                pool.submit(self._start, container, began, limit_s)
                for container in self.containers.values()
            ]
            done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
            self.given_up.set()  # those that wait for what did not start need not go on
        for started in done:
            started.result()
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def run_tool(self, name: str, *arguments: str, limit_s: float) -> tuple[int, str]:
        """As `docker compose run --rm <name> <arguments>`: exit status and output."""
        tool = self.tools[name]
        tool.service = replace(tool.service, command=arguments)
        already = tool.log.stat().st_size if tool.log.exists() else 0
        tool.start()
        assert tool.process is not None
        status = tool.process.wait(timeout=limit_s)
        return status, tool.log.read_bytes()[already:].decode()

    def wait_healthy(self, name: str, *, limit_s: float) -> float:
        """Seconds until the health check of a container passes."""
        container, began = self.containers[name], time.monotonic()
        while not self.is_healthy(container):
            if time.monotonic() - began > limit_s:
                raise UnhealthyError(
                    f"{name} is not healthy after {limit_s} s:\n{container.tail()}"
                )
            time.sleep(_POLL_S)
        return time.monotonic() - began

    def is_healthy(self, container: Container) -> bool:
        """Whether the file's own check passes, run inside."""
        health = container.service.health
        if container.status is not None:
            return False
        if health is None:
            return True
        try:
            return container.run(health.test, health.timeout_s).returncode == 0
        except (subprocess.TimeoutExpired, ValueError, OSError):
            return False  # too slow, or not yet there

    def memory(self) -> dict[str, int]:
        """Bytes by container that runs."""
        return {n: c.memory() for n, c in self.containers.items() if c.status is None}

    def take_down(self) -> None:
        """End everything, at once."""
        for container in self.containers.values():
            container.stopped = True
        for container in self.containers.values():
            container.kill()
        self.holder.kill()
        self.holder.wait()

    def _start(self, container: Container, began: float, limit_s: float) -> None:
        for needed, condition in container.service.needs.items():
            for other in self._replicas(needed):
                self._await(other, condition, began + limit_s)
        container.start()
        # What is not restarted when it ends is there to end.
        goal = "service_healthy" if container.service.restarts else "service_completed_successfully"
        self._await(container, goal, began + limit_s)
        self.healthy_after[container.name] = time.monotonic() - began

    def _await(self, container: Container, condition: str, deadline: float) -> None:
        while time.monotonic() < deadline and not self.given_up.is_set():
            status = container.status if container.process is not None else None
            if condition == "service_completed_successfully":
                if status == 0:
                    return
                if status is not None:
                    raise UnhealthyError(
                        f"{container.name} ended with {status}:\n{container.tail()}"
                    )
            elif status is not None:
                raise UnhealthyError(f"{container.name} ended with {status}:\n{container.tail()}")
            elif container.name in self.healthy_after or (
                container.process is not None and self.is_healthy(container)
            ):
                return
            health = container.service.health
            time.sleep(health.start_interval_s if health and container.process else _POLL_S)
        raise UnhealthyError(f"{container.name} missed {condition} in time:\n{container.tail()}")

    def _replicas(self, service: str) -> list[Container]:
        return [each for each in self.containers.values() if each.service.name == service]

    def _keep_alive(self) -> None:
        """What `restart: unless-stopped` promises; and how much memory is used meanwhile."""
        looked = 0.0
        while self.holder.poll() is None:
            if time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                for name, used in self.memory().items():
                    self.peak[name] = max(used, self.peak.get(name, 0))
            for container in self.containers.values():
                ended = container.process is not None and container.status is not None
                if ended and container.service.restarts and not container.stopped:
                    self.restarted.append(container.name)
                    container.start()
            time.sleep(_POLL_S)


def make_stack(services: dict[str, Service], state: Path, *, tools: set[str]) -> Stack:
    """The stack, not started: a private network and a container for each replica.

    `tools` are the services that nobody starts with the stack.
    """
    # Whatever runs in the stack ends with this process, however it ends.
    hold = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child"]
    holder = subprocess.Popen([*hold, "sh", "-c", "ip link set lo up; exec sleep infinity"])
    network = _held(holder)
    hosts = "\n".join(["127.0.0.1 localhost", *(f"127.0.0.1 {name}" for name in services)])
    containers = {}
    for service in services.values():
        for number in range(1, service.replicas + 1):
            name = service.name if service.replicas == 1 else f"{service.name}-{number}"
            containers[name] = Container(service, name, state, network, hosts)
            make_volumes(containers[name])
    extra = {name: container for name, container in containers.items() if name in tools}
    return Stack(holder, network, {n: c for n, c in containers.items() if n not in tools}, extra)


def _held(holder: subprocess.Popen[bytes]) -> int:
    """The process whose network and processes are the stack's."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for child in children_of(holder.pid):
            if Path(f"/proc/{child}/comm").read_text().strip() == "sleep":
                return child
        time.sleep(0.05)
    raise UnhealthyError("no network of its own: the tests of the stack need root and util-linux")


def _enter(path: str) -> None:
    with Path(path).open() as namespace:
        _set_network(namespace.fileno())


def _set_network(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")
