"""The supervised programs and the supervisor's configuration."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.embedded import postgres
from deploy.embedded.layout import Layout
from deploy.embedded.ports import HOST
from deploy.embedded.stack import LOGIN, Stack
from deploy.mlflow_login.credentials import PASSWORD, TOKEN, USER

POSTGRES = "postgres"
MLFLOW = "mlflow"
API_SERVER = "airflow-api-server"
SCHEDULER = "airflow-scheduler"
DAG_PROCESSOR = "airflow-dag-processor"
AIRFLOW = (API_SERVER, SCHEDULER, DAG_PROCESSOR)
ALL = (POSTGRES, MLFLOW, *AIRFLOW)


@dataclass(frozen=True)
class Program:
    """One program under the supervisor.

    Attributes:
        name: as shown by `status` and used for its log file.
        command: program and arguments, without secrets: every user of the machine can see them.
        stop_signal: the signal that asks it to end.
        stop_group: whether the signal goes to its children too.
        stop_wait_s: seconds until it is killed, children included.
        environment: variables that only this program needs.
    """

    name: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stop_group: bool = True
    stop_wait_s: int = 15
    environment: Mapping[str, str] = field(default_factory=dict)


def programs_of(stack: Stack) -> list[Program]:
    """Every program of `stack`, in the order of their start."""
    python = sys.executable
    mlflow = [python, "-m", "deploy.mlflow_server", "-w", "1"]
    mlflow += ["--host", HOST, "--port", str(stack.ports.mlflow)]
    mlflow += ["--artifacts-destination", str(stack.layout.mlflow)]
    airflow = [python, "-m", "airflow"]
    return [
        # INT is PostgreSQL's fast shutdown: sessions are ended, the cluster is left clean.
        Program(
            POSTGRES,
            postgres.server_command(stack),
            stop_signal="INT",
            stop_group=False,
            stop_wait_s=60,
        ),
        Program(
            MLFLOW,
            mlflow,
            environment={
                "MLFLOW_BACKEND_STORE_URI": stack.dsn("mlflow", driver="+psycopg2"),
                USER: LOGIN,
                PASSWORD: stack.secrets.airflow_password,
                TOKEN: stack.secrets.mlflow_token,
            },
        ),
        Program(API_SERVER, [*airflow, "api-server"]),
        Program(SCHEDULER, [*airflow, "scheduler", "--skip-serve-logs"]),
        Program(DAG_PROCESSOR, [*airflow, "dag-processor"]),
    ]


def render_configuration(layout: Layout, programs: Sequence[Program]) -> str:
    """The text of `supervisord.conf`; the programs wait for `up` to start them one by one."""
    daemon = {
        "logfile": layout.log_of("supervisor"),
        "logfile_maxbytes": "1MB",
        "logfile_backups": 1,
        "pidfile": layout.run / "supervisor.pid",
        "directory": layout.home,
        "umask": "077",  # whatever the programs write is for the owner alone, their logs first
    }
    if os.geteuid() == 0:
        daemon["user"] = "root"  # explicit, or the supervisor warns about it
    sections = [
        _section("supervisord", daemon),
        _section("unix_http_server", {"file": layout.socket, "chmod": "0700"}),
        _section(
            "rpcinterface:supervisor",
            {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
    ]
    for priority, program in enumerate(programs, start=1):
        sections.append(_program_section(layout, program, priority))
    return "\n".join(sections)


def _program_section(layout: Layout, program: Program, priority: int) -> str:
    environment = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
    return _section(
        f"program:{program.name}",
        {
            "command": shlex.join(program.command),
            "directory": layout.home,
            "priority": priority,
            "autostart": "false",
            "autorestart": "true",
            "startsecs": 5,
            "startretries": 3,
            "stopsignal": program.stop_signal,
            "stopwaitsecs": program.stop_wait_s,
            "stopasgroup": str(program.stop_group).lower(),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": layout.log_of(program.name),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 3,
            **({"environment": environment} if environment else {}),
        },
    )


def _section(title: str, options: Mapping[str, object]) -> str:
    # Supervisor expands %(name)s in values.
    lines = [f"{name}={str(value).replace('%', '%%')}" for name, value in options.items()]
    return "\n".join([f"[{title}]", *lines, ""])
