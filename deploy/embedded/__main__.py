"""`python -m deploy.embedded up | down | status | logs | run COMMAND`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

import psutil

from deploy.embedded import lifecycle, programs, supervision
from deploy.embedded.environment import build_environment
from deploy.embedded.errors import StackError
from deploy.embedded.layout import Layout, find_layout
from deploy.embedded.stack import Stack, load_stack

STOPPED = 3  # exit status of `status` when not everything runs, as systemctl has it
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the stack and wait until it is healthy")
    commands.add_parser("down", help="stop it; what it stored stays")
    commands.add_parser("status", help="show its parts")
    logs = commands.add_parser("logs", help="show the end of its logs")
    logs.add_argument("program", nargs="?", choices=programs.ALL, help="one part; all by default")
    logs.add_argument("-n", "--lines", type=int, default=30)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    run = commands.add_parser("run", help="run a command as the stack's own: run airflow dags list")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    parsed = parser.parse_args(arguments)
    try:
        layout = find_layout(os.environ)
        if parsed.command == "up":
            print(describe(lifecycle.up(layout, os.environ, say)))
        elif parsed.command == "down":
            lifecycle.down(layout, say)
        elif parsed.command == "status":
            return show_status(layout)
        elif parsed.command == "run":
            run_inside(layout, parsed.words)
        else:
            show_logs(layout, parsed.program, lines=parsed.lines, follow=parsed.follow)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def run_inside(layout: Layout, words: Sequence[str]) -> None:
    """Replace this process by the command `words`, in the environment of the stack's tasks.

    Raises:
        StackError: there is no stack yet, no command, or no such command.
    """
    stack = load_stack(layout)
    if stack is None or not words:
        what = "no command was given" if stack else f"there is no stack in {layout.home} yet"
        raise StackError(f"Nothing to run: {what}. Start it with `make up`, then name a command.")
    environment = build_environment(stack, os.environ)
    found = shutil.which(words[0], path=environment["PATH"])
    if found is None:
        raise StackError(f"There is no command {words[0]!r} in the stack's PATH.")
    os.execve(found, list(words), environment)


def say(message: str) -> None:
    """Print a message at once, even through a pipe."""
    print(message, flush=True)


def describe(stack: Stack) -> str:
    """The addresses, logins and folders of a running stack, as text."""
    layout = stack.layout
    return "\n".join(
        [
            "",
            f"  Airflow   {stack.airflow_url}",
            f"  MLflow    {stack.mlflow_page}",
            f"  logins    {layout.logins} (user and password for both)",
            f"  tables    {layout.lake}",
            f"  logs      {layout.logs}",
            "",
        ]
    )


def show_status(layout: Layout) -> int:
    """Print a line for each part; returns 0 when all of them run."""
    states = supervision.program_states(layout)
    stack = load_stack(layout)
    if states is None or stack is None:
        say(f"nothing runs in {layout.home}")
        return STOPPED
    for name in programs.ALL:
        state = states[name]
        line = f"  {name:<22} {state.state:<9}"
        if state.pid:
            line += (
                f" pid {state.pid:<8} up {state.uptime_s:>6} s  {_memory_mb(state.pid):>5.0f} MB"
            )
        say(line)
    print(describe(stack))
    return 0 if all(state.state == "RUNNING" for state in states.values()) else STOPPED


def show_logs(layout: Layout, program: str | None, *, lines: int, follow: bool) -> None:
    """Replace this process by `tail` on the logs.

    Raises:
        StackError: there are none yet.
    """
    wanted = [program] if program else programs.ALL
    paths = [str(path) for name in wanted if (path := layout.log_of(name)).exists()]
    if not paths:
        raise StackError(f"There are no logs in {layout.logs} yet; start the stack with `up`.")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *paths])


def _memory_mb(pid: int) -> float:
    """Memory of a process and its children; pages that they share are counted once."""
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for process in tree:
        try:
            full = process.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(full, "pss", full.uss)
    return total / 1e6


if __name__ == "__main__":
    sys.exit(main())
