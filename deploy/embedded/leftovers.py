"""Find and end processes that outlived their supervisor.

A task of the LocalExecutor leads its own process group, so it survives when the scheduler is
killed; and when the supervisor itself is killed everything survives and holds the ports.
"""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from deploy.embedded.layout import Layout

# Set by `up` in the environment of everything it starts, and nowhere else.
MARK = "PLIMSOLL_STACK_OF"
GRACE_S = 3.0


def mark(layout: Layout) -> dict[str, str]:
    """The variable by which `find_leftovers` recognises the processes of a stack."""
    return {MARK: str(layout.home)}


def find_leftovers(layout: Layout) -> list[psutil.Process]:
    """Living processes of the stack: those that carry its mark, and its PostgreSQL."""
    found = [process for process in psutil.process_iter() if _carries_mark(process, layout)]
    server = _database_server(layout)
    return [*found, *([server] if server and server not in found else [])]


def end_processes(processes: Iterable[psutil.Process]) -> None:
    """Ask each process to end, and kill those that are alive after a few seconds."""
    asked = list(processes)
    for process in asked:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(asked, timeout=GRACE_S)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=GRACE_S)


def _carries_mark(process: psutil.Process, layout: Layout) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get(MARK) == str(layout.home)
    except (psutil.Error, OSError):  # gone meanwhile, or another user's
        return False


def _database_server(layout: Layout) -> psutil.Process | None:
    """The postmaster, which overwrites its environment, by its own lock file and folder."""
    try:
        pid = int((layout.cluster / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(layout.cluster):
            return process
    except (OSError, ValueError, IndexError, psutil.Error):
        return None  # no lock file, or it names a process that is gone or not PostgreSQL
    return None


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
