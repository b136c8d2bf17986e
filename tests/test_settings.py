"""The settings of a command: the environment first, then the record of the stack."""

import json
import socket
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.errors import ConfigError, OutageError
from pipeline.settings import Login, record_of, record_path

URI = "http://127.0.0.1:5000"
LOGIN = Login("http://127.0.0.1:8080", "admin", "secret")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The home of a stack that was started once, as a shell that sets nothing else sees it."""
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path))
    names = ("STORAGE", "DETECTORS", "DATA", "CACHE", "LINEAGE", "DATABASE", "MLFLOW_URL")
    for name in ("MLFLOW_TRACKING_URI", *(f"PLIMSOLL_{name}" for name in names)):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path)
    return tmp_path


def write(home: Path) -> None:
    variables = {
        "MLFLOW_TRACKING_URI": URI,
        "PLIMSOLL_STORAGE": str(home / "lake"),
        "PLIMSOLL_DETECTORS": "/somewhere/detectors",
        "PLIMSOLL_DATABASE": "postgresql://plimsoll:secret@127.0.0.1/plimsoll",
        "PLIMSOLL_MLFLOW_URL": f"{URI}/",
    }
    record_path(home).parent.mkdir(exist_ok=True)
    record = record_of(variables, home / "run" / "supervisor.sock", LOGIN)
    record_path(home).write_text(json.dumps(record))


def listening(home: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home / "run" / "supervisor.sock"))
    listener.listen()
    return listener


def test_a_shell_that_sets_nothing_has_the_settings_of_the_stack(home):
    here = settings.load()

    assert (here.mlflow_uri, here.mlflow_url) == (URI, URI)
    assert here.detectors == Path("/somewhere/detectors")
    assert str(here.database).endswith("/plimsoll")
    assert here.cache == home / "cache"
    assert here.stack is not None
    assert here.stack.airflow == LOGIN


@pytest.mark.usefixtures("home")
def test_what_the_environment_says_wins(monkeypatch):
    monkeypatch.setenv("PLIMSOLL_DETECTORS", "/mine")
    monkeypatch.setenv("PLIMSOLL_DATABASE", "")

    here = settings.load()

    assert here.stack is not None
    assert (here.detectors, here.database) == (Path("/mine"), None)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("same", [URI, f"{URI}/", "http://localhost:5000"])
def test_the_stack_may_be_named_by_its_address(monkeypatch, same):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", same)

    assert settings.load().database is not None


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "value"),
    [("MLFLOW_TRACKING_URI", "sqlite:////elsewhere/mlflow.db"), ("PLIMSOLL_STORAGE", "/elsewhere")],
)
def test_another_registry_or_other_tables_are_another_world(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    here = settings.load()

    assert (here.stack, here.database) == (None, None)
    assert here.mlflow_uri in (None, value)


@pytest.mark.usefixtures("home")
def test_other_tables_without_a_registry_are_distinguished_from_no_stack(monkeypatch):
    monkeypatch.setenv("PLIMSOLL_STORAGE", "/elsewhere")

    assert "PLIMSOLL_STORAGE names other tables" in str(settings.nobody_said(settings.load()))


def test_a_stack_that_is_down_is_said_to_be_with_its_fix(home):
    with pytest.raises(OutageError, match=rf"is down.* `PLIMSOLL_HOME={home} make up`"):
        settings.refuse_nowhere(settings.load())


def test_a_stack_that_is_up_is_not_refused(home):
    with listening(home):
        here = settings.load()
        settings.refuse_nowhere(here)

    assert here.stack is not None


def test_a_stack_that_was_killed_is_down_though_its_socket_is_still_there(home):
    listening(home).close()

    with pytest.raises(OutageError, match="is down"):
        settings.refuse_nowhere(settings.load())


def test_where_no_stack_ever_was_nothing_is_made_up(home):
    record_path(home).unlink()
    here = settings.load()

    assert (here.mlflow_uri, here.stack) == (None, None)
    with pytest.raises(ConfigError, match=r"no stack was ever started .* make up"):
        settings.refuse_nowhere(here)


def test_a_stack_of_an_older_release_is_named_as_such(home):
    record_path(home).rename(home / "run" / "stack.json")

    with pytest.raises(ConfigError, match=r"started by an older Plimsoll.*make up"):
        settings.refuse_nowhere(settings.load())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"variables": {}}', '{"variables": 3}'])
def test_a_damaged_record_is_an_error_with_its_fix(home, text):
    record_path(home).write_text(text)

    with pytest.raises(ConfigError, match=r"settings\.json.*cannot be read.*make up"):
        settings.load()


def test_a_complete_environment_needs_no_record(home, monkeypatch):
    record_path(home).write_text("{")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", URI)
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(home / "lake"))

    assert settings.load().mlflow_uri == URI


@pytest.mark.usefixtures("home")
def test_a_record_of_another_user_is_an_error_with_its_fix(monkeypatch):
    def forbidden(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", forbidden)  # tests may run as root, who may read all

    with pytest.raises(ConfigError, match=r"Permission denied.*the user that owns it"):
        settings.load()


def test_variables_for_libraries_hold_no_longer_than_asked(monkeypatch):
    monkeypatch.setenv("GIVEN", "before")

    with settings.environment({"GIVEN": "now", "NEW": "now"}):
        assert (settings.named("GIVEN"), settings.named("NEW")) == ("now", "now")

    assert (settings.named("GIVEN"), settings.named("NEW")) == ("before", None)
