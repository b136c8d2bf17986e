"""`up` and `down`: the order in which the stack's parts start and stop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime

from filelock import Timeout

from deploy.airflow_api import connect
from deploy.embedded import health, leftovers, postgres, programs, roles, schema, supervision
from deploy.embedded.environment import build_environment, leave_record
from deploy.embedded.errors import StackError
from deploy.embedded.layout import Layout, create_folders
from deploy.embedded.logins import leave_logins
from deploy.embedded.ports import choose_ports, requested_ports
from deploy.embedded.stack import (
    LOGIN,
    Stack,
    completed,
    load_stack,
    new_secrets,
    save_stack,
)
from deploy.pools import POOLS
from pipeline.file_lock import file_lock
from pipeline.ledger import keyring
from pipeline.private_file import write_private

Say = Callable[[str], None]

# Seconds; a first start on a busy two-core machine needs about a quarter of it.
START_LIMIT_S = 180.0
END_LIMIT_S = 10.0
PROGRESS_S = 5.0


def up(layout: Layout, caller: Mapping[str, str], say: Say) -> Stack:
    """Start what does not run yet and return when every part is healthy.

    A start that fails or is interrupted is undone; the state stays.

    Raises:
        StackError: a part did not start, or a requested port is in use.
    """
    create_folders(layout)
    with _alone(layout, say):
        running = supervision.program_states(layout) is not None
        stack = load_stack(layout) if running else None
        if stack and not stack.secrets.are_complete:
            say("an older Plimsoll started this stack: stopping it, so that MLflow gets its login")
            say("and its services get database roles of their own")
            _stop_parts(layout)
        elif stack:
            say("the stack is already running")
            _record(stack)
            _start_parts(stack, build_environment(stack, caller), say)
            return stack
        stack = _prepare(layout, caller, say)
        try:
            environment = build_environment(stack, caller)
            _start_daemon(stack, environment)
            _start_parts(stack, environment, say)
        except BaseException:
            say("stopping what was started")
            _stop_parts(layout)
            raise
        return stack


def down(layout: Layout, say: Say) -> None:
    """Stop everything; returns when no process of the stack is left. The state stays.

    Raises:
        StackError: a process cannot be ended.
    """
    if not layout.run.exists():
        say(f"nothing runs in {layout.home}")
        return
    with _alone(layout, say):
        if supervision.program_states(layout) is not None:
            say("stopping Airflow, MLflow and PostgreSQL (running tasks get 15 s)")
        elif not leftovers.find_leftovers(layout):
            say(f"nothing runs in {layout.home}")
            return
        else:
            say("the supervisor is gone: ending the processes that it left")
        _stop_parts(layout)
        say(f"stopped; the state stays in {layout.home}")


def _prepare(layout: Layout, caller: Mapping[str, str], say: Say) -> Stack:
    if leftovers.find_leftovers(layout):
        say("ending processes of a start that was not stopped")
        _stop_parts(layout)
    before = load_stack(layout)
    if before is None and layout.cluster.exists():
        raise StackError(
            f"{layout.run / 'stack.json'} is gone, and with it the password of the databases in "
            f"{layout.cluster}. Restore it, or remove {layout.home} to begin again without the "
            "stored runs."
        )
    ports = choose_ports(requested_ports(caller), before.ports if before else None, say)
    secrets = completed(before.secrets) if before else new_secrets()
    stack = Stack(layout, ports, secrets)
    save_stack(stack)
    keyring.create_missing(layout.home)
    _record(stack)
    login = json.dumps({LOGIN: stack.secrets.airflow_password})
    write_private(layout.airflow / "logins.json", login + "\n")
    if not layout.cluster.exists():
        say("creating the database cluster")
    postgres.initialise_cluster(stack)
    return stack


def _record(stack: Stack) -> None:
    """Write the files by which commands and people find the stack."""
    leave_record(stack)
    leave_logins(stack)


def _start_daemon(stack: Stack, environment: Mapping[str, str]) -> None:
    layout = stack.layout
    configuration = layout.run / "supervisord.conf"
    write_private(configuration, programs.render_configuration(layout, programs.programs_of(stack)))
    marked = {**environment, **leftovers.mark(layout)}
    supervision.start_supervisor(layout, configuration, marked)


def _start_parts(stack: Stack, environment: Mapping[str, str], say: Say) -> None:
    layout = stack.layout
    states = supervision.program_states(layout) or {}
    fresh = any(states[name].state not in supervision.ALIVE for name in programs.ALL)
    began = datetime.now(UTC) if fresh else datetime.min.replace(tzinfo=UTC)
    supervision.start_program(layout, programs.POSTGRES)
    _wait(stack, programs.POSTGRES, lambda: roles.server_unready(stack), say)
    roles.apply_roles(stack)
    _start_services(stack, environment, say)
    _wait(stack, programs.MLFLOW, lambda: health.mlflow_unready(stack), say)
    for name, component in (
        (programs.API_SERVER, "metadatabase"),
        (programs.SCHEDULER, "scheduler"),
        (programs.DAG_PROCESSOR, "dag_processor"),
    ):
        _wait(stack, name, lambda part=component: health.airflow_unready(stack, part, began), say)  # type: ignore[misc] # mypy does not infer a lambda's default
    with connect(stack) as airflow:
        for name, purpose in POOLS.items():
            airflow.ensure_pool(name, slots=1, description=purpose)


def _wait(stack: Stack, program: str, unready: Callable[[], str | None], say: Say) -> None:
    health.wait_until_ready(stack.layout, program, unready, say, limit_s=START_LIMIT_S)
    say(f"{program} is ready")


def _start_services(stack: Stack, environment: Mapping[str, str], say: Say) -> None:
    """Start MLflow and Airflow side by side, each behind the migration of its own database."""
    began = time.monotonic()
    if schema.outdated(stack, "mlflow") or schema.outdated(stack, "airflow"):
        say("preparing the databases of MLflow and Airflow")
    with ThreadPoolExecutor(max_workers=2) as pool:
        parts = [pool.submit(part, stack, environment) for part in (_start_mlflow, _start_airflow)]
        while wait(parts, timeout=PROGRESS_S).not_done:
            say(f"  preparing the databases, {time.monotonic() - began:.0f} s")
    for part in parts:
        part.result()
    schema.note_versions(stack)


def _start_mlflow(stack: Stack, environment: Mapping[str, str]) -> None:
    if schema.outdated(stack, "mlflow"):
        schema.migrate_mlflow(stack, environment)
    supervision.start_program(stack.layout, programs.MLFLOW)


def _start_airflow(stack: Stack, environment: Mapping[str, str]) -> None:
    if schema.outdated(stack, "airflow"):
        schema.migrate_airflow(stack, environment)
    for name in programs.AIRFLOW:
        supervision.start_program(stack.layout, name)


def _stop_parts(layout: Layout) -> None:
    """Stop what runs, in order, and end whatever is left over."""
    if supervision.program_states(layout) is not None:
        supervision.stop_programs(layout, [programs.MLFLOW, *programs.AIRFLOW])
        supervision.stop_programs(layout, [programs.POSTGRES])
        supervision.end_supervisor(layout)
        deadline = time.monotonic() + END_LIMIT_S
        while supervision.program_states(layout) is not None and time.monotonic() < deadline:
            time.sleep(0.1)
    leftovers.end_processes(leftovers.find_leftovers(layout))
    if remaining := leftovers.find_leftovers(layout):
        pids = ", ".join(str(process.pid) for process in remaining)
        raise StackError(
            f"Processes of the stack in {layout.home} could not be ended: pid {pids}. "
            "End them by hand (`kill -KILL PID`), as the user who started them."
        )
    layout.socket.unlink(missing_ok=True)


@contextmanager
def _alone(layout: Layout, say: Say) -> Iterator[None]:
    """Hold the stack's lock, so that two `up` or `down` never run at once."""
    lock = file_lock(layout.run / "lock")
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        say("another up or down of this stack is at work: waiting for it")
        held = lock.acquire()
    with held:
        yield
