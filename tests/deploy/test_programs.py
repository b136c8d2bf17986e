from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from supervisor.options import ServerOptions

from deploy.embedded.environment import build_environment
from deploy.embedded.programs import ALL, programs_of, render_configuration
from deploy.mlflow_login.credentials import read_credentials

if TYPE_CHECKING:
    from deploy.embedded.stack import Stack


@pytest.fixture
def options(stack: Stack) -> ServerOptions:
    """The configuration as the supervisor itself reads it."""
    path = stack.layout.run / "supervisord.conf"
    path.write_text(render_configuration(stack.layout, programs_of(stack)))
    options = ServerOptions()
    options.realize(["-c", str(path)])
    return options


def test_the_supervisor_reads_back_every_program_in_the_order_of_its_start(options: ServerOptions):
    assert tuple(group.name for group in options.process_group_configs) == ALL


def test_spaces_in_the_path_of_the_home_survive(options: ServerOptions, stack: Stack):
    postgres = options.process_group_configs[0].process_configs[0]

    assert str(stack.layout.home) in postgres.command
    assert postgres.stdout_logfile == str(stack.layout.log_of("postgres"))


def test_every_program_is_restarted_when_it_dies_and_killed_with_its_children(
    options: ServerOptions,
):
    for group in options.process_group_configs:
        (program,) = group.process_configs
        assert program.autorestart
        assert program.killasgroup
        assert not program.autostart


def test_no_command_line_shows_a_secret(stack: Stack):
    commands = " ".join(" ".join(program.command) for program in programs_of(stack))

    assert stack.secrets.postgres_password not in commands
    assert stack.secrets.airflow_password not in commands
    assert stack.secrets.mlflow_token not in commands


def test_mlflow_gets_the_login_it_accepts_and_the_others_get_the_token_alone(
    options: ServerOptions, stack: Stack
):
    programs = {group.name: group.process_configs[0] for group in options.process_group_configs}
    common = build_environment(stack, {})

    accepts = read_credentials(programs["mlflow"].environment)
    assert accepts.accepts_token(common["MLFLOW_TRACKING_TOKEN"].encode())
    assert accepts.accepts_login(f"admin:{stack.secrets.airflow_password}".encode())
    assert "MLFLOW_TRACKING_PASSWORD" not in common
    assert not any(programs[name].environment for name in ALL if name != "mlflow")


def test_what_the_programs_write_is_for_the_owner_alone(options: ServerOptions):
    assert options.umask == 0o077


def test_no_log_server_is_started_because_it_would_listen_on_every_address(stack: Stack):
    scheduler = next(p for p in programs_of(stack) if p.name == "airflow-scheduler")

    assert "--skip-serve-logs" in scheduler.command
