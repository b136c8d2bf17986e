"""One service as a process in namespaces of its own, as a container engine would run it.

The file system is the machine's, seen through an overlay that takes every write, with the image's
folders and the service's mounts at the paths that the file names. Processes, host name and mounts
are the service's own; the network is the stack's. User, capabilities and environment are exactly
those of image and file, nothing inherited.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings import REPOSITORY
from tests.stack.composed import Mount, Service
from tests.stack.images import Image, image_of

_POLL_S = 0.1
# Folders that everybody must be able to pass through to reach the interpreter and the repository.
_PASSED = (Path(sys.base_prefix), Path(sys.prefix), REPOSITORY)

_INIT = """
"$@" & child=$!
trap 'kill -TERM $child' TERM INT
while kill -0 $child 2>/dev/null; do wait $child; status=$?; done
exit $status
"""
"""Process 1 of a service with `init: true`: passes signals on and reaps."""


@dataclass
class Container:
    """One replica of a service, running or not."""

    service: Service
    name: str
    state: Path
    network: int
    hosts: str
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    starts: int = 0
    stopped: bool = field(default=False)

    @property
    def image(self) -> Image:
        return image_of(self.service.image)

    @property
    def log(self) -> Path:
        return self.state / "logs" / f"{self.name}.log"

    def start(self) -> None:
        """Run the service's command; returns at once."""
        script = self.state / "scripts" / f"{self.name}.sh"
        script.parent.mkdir(exist_ok=True)
        self.log.parent.mkdir(exist_ok=True)
        script.write_text(_script(self))
        script.chmod(0o700)
        enter = ["nsenter", "-t", str(self.network), "--net", "--pid", "--wdns=/"]
        enter += ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "bash", str(script)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                enter, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.began, self.stopped = time.monotonic(), False
        self.starts += 1

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        assert self.process is not None, f"{self.name} was never started"
        return self.process.poll()

    def first_process(self) -> int:
        """Number, seen from outside, of the service's process 1."""
        assert self.process is not None
        [unshare] = children_of(self.process.pid)
        [first] = children_of(unshare)
        return first

    def run(self, command: tuple[str, ...], limit_s: float) -> subprocess.CompletedProcess[bytes]:
        """A command inside, as `docker exec` runs it.

        Raises:
            TimeoutExpired: it was not done in time; it is ended.
        """
        target = str(self.first_process())
        inside = ["nsenter", "-t", target, "--mount", "--uts", "--ipc", "--net", "--pid"]
        root = ["--root", f"--wdns={self.image.workdir}"]
        line = [*inside, *root, *_as_user(self), *_environment(self), *command]
        return subprocess.run(line, capture_output=True, timeout=limit_s, check=False)

    def signal(self, number: signal.Signals) -> None:
        """As `docker kill --signal`: KILL ends every process of the service at once."""
        self.stopped = True
        os.kill(self.first_process(), number)

    def kill(self) -> None:
        """End every process of the service, if any runs, and see it gone."""
        if self.process is not None and self.status is None:
            # Not what we started but process 1 inside: with it the kernel ends all the others.
            self.signal(signal.SIGKILL)
            self.process.wait(timeout=30)

    def stop(self) -> float:
        """As `docker stop`: the file's signal, its grace period, then KILL; the seconds it took."""
        began = time.monotonic()
        if self.status is None:
            self.signal(signal.Signals[self.service.stop_signal])
            limit = began + self.service.stop_grace_s
            while self.status is None and time.monotonic() < limit:
                time.sleep(_POLL_S)
        self.kill()
        return time.monotonic() - began

    def memory(self) -> int:
        """Bytes of all processes; pages that several share are counted once, in parts."""
        return sum(map(_share, _descendants(self.first_process())))

    def threads(self) -> int:
        """Of all processes, as an engine counts them for its limit of processes."""
        return sum(map(_threads, _descendants(self.first_process())))

    def tail(self, lines: int = 40) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _script(container: Container) -> str:
    """Shell that makes the file system and becomes the command."""
    service, image, state = container.service, container.image, container.state
    base = state / "roots" / container.name
    lines = [
        "set -euo pipefail",
        "mount --make-rprivate /",
        f"mkdir -p {base}; mount -t tmpfs tmpfs {base}; cd {base}; mkdir upper work root",
        f"mount -t overlay overlay -o lowerdir=/,upperdir={base}/upper,workdir={base}/work root",
        f"cd {base}/root",
        "mount -t tmpfs -o mode=1777 tmpfs tmp; mount --rbind /dev dev",
        "mount -t tmpfs -o mode=1777 tmpfs dev/shm",
        f"cat > etc/hosts <<'END'\n{container.hosts}\n127.0.0.1 {container.name}\nEND",
        f"echo service:x:{image.user}:0::/nonexistent:/bin/sh > passwd.new",
        "cat /etc/passwd >> passwd.new; mv passwd.new etc/passwd",
    ]
    for path, native in image.folders.items():
        lines += [f"mkdir -p .{path}", f"mount --bind {native} .{path}"]
    for path, native in image.programs.items():
        lines += [f"mkdir -p .{Path(path).parent}; rm -f .{path}; cp {native} .{path}"]
    lines += [f"mkdir -p .{path}; chown {image.user}:0 .{path}" for path in image.owned]
    for path, options in service.scratch.items():
        how = options or "mode=1777"
        lines += [f"mkdir -p .{path}; mount -t tmpfs -o {how} tmpfs .{path}"]
    # A checkout below /tmp would be hidden by what was mounted there.
    lines += [f"[ -e .{p} ] || {{ mkdir -p .{p}; mount --bind {p} .{p}; }}" for p in _PASSED]
    lines += [f"chmod go+x .{folder}" for path in _PASSED for folder in reversed(path.parents)]
    lines += [line for mount in service.mounts for line in _mounting(container, mount)]
    if service.read_only:
        lines.append("mount -o remount,ro .")
    command = [*(service.entrypoint or image.entrypoint), *service.command]
    if service.init:
        command = ["/bin/bash", "-c", _INIT, "init", *command]
    become = [*_as_user(container), *_environment(container), *command]
    lines += [
        "mount -t proc proc proc",
        f"hostname {container.name}",
        f"exec chroot . env --chdir={image.workdir} {shlex.join(become)}",
    ]
    return "\n".join(lines) + "\n"


def make_volumes(container: Container) -> None:
    """The volumes of a container, where they are not there yet, as its image has these folders."""
    for mount in container.service.mounts:
        source = _source(container, mount)
        if mount.kind != "volume" or source.exists():
            continue
        below = f"{mount.target}/"
        owned = [path for path in container.image.owned if path.startswith(below)]
        for path in (source, *(source / path.removeprefix(below) for path in owned)):
            path.mkdir(parents=True, exist_ok=True)
            os.chown(path, container.image.user, container.image.user)


def _source(container: Container, mount: Mount) -> Path:
    if mount.kind == "volume":
        return container.state / "volumes" / mount.source
    return Path(mount.source)


def _mounting(container: Container, mount: Mount) -> list[str]:
    source = _source(container, mount)
    make = f"touch .{mount.target}" if source.is_file() else f"mkdir -p .{mount.target}"
    lines = [f"mkdir -p .{Path(mount.target).parent}; [ -e .{mount.target} ] || {make}"]
    lines.append(f"mount --bind {source} .{mount.target}")
    if mount.read_only:
        lines.append(f"mount -o remount,bind,ro .{mount.target}")
    return lines


def _as_user(container: Container) -> list[str]:
    image, service = container.image, container.service
    assert service.user in {"", image.account}, f"{service.image} knows no user {service.user}"
    user = str(image.user)
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    if service.grows_no_rights:
        become += ["--no-new-privs"]
    if service.capless:
        become += ["--bounding-set=-all", "--inh-caps=-all"]
    return become


def _environment(container: Container) -> list[str]:
    """`env` that starts with nothing: the image's variables, then the file's, and the host name."""
    variables = {
        **container.image.environment,
        "HOSTNAME": container.name,
        **container.service.environment,
    }
    return ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]


def children_of(pid: int) -> list[int]:
    """Numbers of the processes that `pid` has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        try:
            found += children_of(each)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def _threads(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _share(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    [line] = [line for line in text.splitlines() if line.startswith("Pss:")] or ["Pss: 0 kB"]
    return int(line.split()[1]) * 1024
