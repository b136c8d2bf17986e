"""The file with the login, and that nothing else shows it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from deploy.embedded.__main__ import describe
from deploy.embedded.layout import create_folders
from deploy.embedded.logins import leave_logins

if TYPE_CHECKING:
    from deploy.embedded.stack import Stack


def test_the_file_names_both_addresses_and_the_one_login_for_both(stack: Stack):
    leave_logins(stack)

    text = stack.layout.logins.read_text()
    for shown in (stack.airflow_url, stack.mlflow_page, "admin", stack.secrets.airflow_password):
        assert shown in text
    assert f"MLFLOW_TRACKING_TOKEN={stack.secrets.mlflow_token}\n" in text


def test_it_is_readable_by_its_owner_only_whoever_made_it_before(stack: Stack):
    stack.layout.logins.write_text("old")
    stack.layout.logins.chmod(0o666)

    leave_logins(stack)

    assert stat.S_IMODE(stack.layout.logins.stat().st_mode) == 0o600


def test_what_is_printed_names_the_file_and_no_secret(stack: Stack):
    shown = describe(stack)

    assert str(stack.layout.logins) in shown
    for secret in (stack.secrets.airflow_password, stack.secrets.mlflow_token):
        assert secret not in shown


@pytest.mark.parametrize("name", ["airflow", "mlflow", "lake", "cache", "data", "logs", "run"])
def test_no_folder_is_open_to_others_even_in_a_home_that_is(stack: Stack, name: str):
    folder = stack.layout.home / name
    stack.layout.home.chmod(0o755)
    folder.rmdir()

    create_folders(stack.layout)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_logs_that_an_older_plimsoll_left_open_are_closed(stack: Stack):
    stack.layout.logs.chmod(0o755)

    create_folders(stack.layout)

    assert stat.S_IMODE(stack.layout.logs.stat().st_mode) == 0o700
