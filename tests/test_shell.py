"""Commands that can be pasted: bash takes each of them apart as it was meant."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.settings import HOME, EmbeddedStack, Login
from pipeline.shell import Shell, this_shell

STACK = EmbeddedStack(Path("/s.sock"), Login("http://127.0.0.1:1", "a", "b"))
SHELL = Shell("python -m pipeline", "airflow")


@pytest.fixture
def here(monkeypatch):
    monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", raising=False)
    return replace(settings.load(), home=HOME.resolve())


def test_names_with_blanks_and_quotes_stay_one_word():
    typed = SHELL.plimsoll("channel", "press", "mute", "wind's speed", "--entity=A 1; rm -rf /")

    assert shlex.split(typed)[3:] == [
        "channel", "press", "mute", "wind's speed", "--entity=A 1; rm -rf /",
    ]  # fmt: skip


def test_what_a_form_is_filled_in_with_is_one_word_of_json():
    words = shlex.split(SHELL.start("press", "load", reason='it\'s "odd" | here'))

    assert words[:5] == ["airflow", "dags", "trigger", "press__load", "--conf"]
    assert json.loads(words[5]) == {"reason": 'it\'s "odd" | here'}


def test_without_airflow_the_command_line_starts_the_same_with_the_same_values():
    shell = Shell("python -m pipeline", None)
    typed = shell.start("press", "rollback", paused=True, reason="it's odd", only_if_live="4")

    assert shlex.split(typed)[3:] == [
        "run", "rollback", "press", "--reason", "it's odd", "--only-if-live", "4",
    ]  # fmt: skip


def test_a_dag_that_may_be_paused_is_unpaused_first():
    assert SHELL.start("press", "train", paused=True) == (
        "airflow dags unpause press__train && airflow dags trigger press__train"
    )


def test_the_embedded_stack_lends_airflow_its_environment(here):
    shell = this_shell(replace(here, stack=STACK))

    assert str(shell.airflow).endswith("python -m deploy.embedded run airflow")
    assert shell.command.endswith("python -m pipeline")
    assert "PLIMSOLL_HOME" not in shell.command


def test_a_stack_elsewhere_is_named_in_every_command(here):
    shell = this_shell(replace(here, stack=STACK, home=Path("/my homes/one")))

    assert shell.command.startswith("PLIMSOLL_HOME='/my homes/one' ")
    assert str(shell.airflow).startswith("PLIMSOLL_HOME='/my homes/one' ")


def test_a_deployment_says_how_its_commands_are_typed(here):
    typed = replace(here, command="docker compose run --rm cli", airflow_command="kubectl airflow")

    assert this_shell(typed).plimsoll("status") == "docker compose run --rm cli status"
    assert this_shell(typed).in_airflow("dags", "list") == "kubectl airflow dags list"


def test_airflow_is_typed_as_it_is_where_its_database_is_known(here, monkeypatch):
    assert this_shell(here).airflow is None
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://")

    assert this_shell(here).airflow == "airflow"
