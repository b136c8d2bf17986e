from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from deploy.embedded.environment import build_environment
from deploy.embedded.errors import StackError
from deploy.embedded.programs import programs_of
from deploy.embedded.stack import completed, load_stack, new_secrets, save_stack

if TYPE_CHECKING:
    from deploy.embedded.stack import Stack


def test_there_is_no_stack_before_the_first_start(stack: Stack):
    assert load_stack(stack.layout) is None


def test_ports_and_secrets_survive(stack: Stack):
    save_stack(stack)

    assert load_stack(stack.layout) == stack


def test_the_record_can_be_read_by_its_owner_only(stack: Stack):
    save_stack(stack)

    mode = (stack.layout.run / "stack.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_damaged_record_is_an_error_that_names_the_file_and_the_fix(stack: Stack):
    record = stack.layout.run / "stack.json"
    record.write_text('{"ports": {}}')

    with pytest.raises(StackError, match=f"{record}.*remove"):
        load_stack(stack.layout)


def test_a_stack_of_an_older_plimsoll_gets_what_it_lacks_and_keeps_the_rest(stack: Stack):
    save_stack(stack)
    path = stack.layout.run / "stack.json"
    record = json.loads(path.read_text())
    del record["secrets"]["mlflow_token"]
    path.write_text(json.dumps(record))

    old = load_stack(stack.layout)

    assert old is not None
    assert not old.secrets.are_complete
    new = completed(old.secrets)
    assert new.are_complete
    assert replace(new, mlflow_token="") == old.secrets
    assert completed(new) == new


def test_every_stack_has_secrets_of_its_own():
    assert new_secrets() != new_secrets()


def test_the_token_secret_is_long_enough_for_its_algorithm():
    assert len(new_secrets().jwt_secret.encode()) >= 64


def test_a_record_without_role_passwords_is_read_and_gets_them_once(stack: Stack):
    before = replace(stack, secrets=replace(stack.secrets, role_passwords={}))
    save_stack(before)
    record = stack.layout.run / "stack.json"
    older = json.loads(record.read_text())
    del older["secrets"]["role_passwords"]
    record.write_text(json.dumps(older))

    read = load_stack(stack.layout)

    assert read == before
    assert not read.has_roles
    generated = completed(read.secrets)
    assert len(set(generated.role_passwords.values())) == 3
    assert completed(generated) == generated
    assert replace(generated, role_passwords={}) == read.secrets


def test_no_service_logs_in_as_the_administrator(stack: Stack):
    for database in ("airflow", "mlflow", "plimsoll"):
        url = urlsplit(stack.dsn(database))

        assert url.username == database
        assert url.password != stack.secrets.postgres_password
    environment = build_environment(stack, {})
    assert stack.secrets.postgres_password not in json.dumps(environment)
    for program in programs_of(stack):
        assert stack.secrets.postgres_password not in str(program)
