"""Whether MLflow answers: every kind of silence ends soon, with a message that says why."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow.store.db.utils
import pytest

from pipeline import settings
from pipeline.errors import ConfigError, OutageError
from pipeline.registry import connection
from pipeline.registry.connection import answering
from pipeline.settings import EmbeddedStack, Login

pytestmark = pytest.mark.filterwarnings(
    "ignore:::sqlalchemy", "ignore:::mlflow", "ignore:::alembic"
)

NO_SUCH_MODEL = json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"})


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "_REQUEST_S", 1)
    monkeypatch.setattr(connection, "_ANSWER_S", 3.0)
    # A thread that went on asking a dead database would hold up every later test.
    monkeypatch.setattr(mlflow.store.db.utils, "MAX_RETRY_COUNT", 1)


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{made.server_port}"
    finally:
        made.shutdown()
        made.server_close()


def saying(status: int, body: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = body.encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def asked(uri: str) -> bool:
    """True once the body of `answering` has run."""
    with answering(replace(settings.load(), mlflow_uri=uri, stack=None)):
        return True


def test_an_mlflow_that_knows_nothing_yet_has_answered():
    with server(saying(404, NO_SUCH_MODEL)) as uri:
        assert asked(uri)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, "OK", "something else than MLflow"),
        (200, "<html>", "something else than MLflow"),
        (200, "{}", "something else than MLflow"),
        (200, "[]", "something else than MLflow"),
        (404, "not here", "status 404"),
        (404, '{"detail": "Not Found"}', "something else than MLflow"),
        (500, "oh", "server errors"),
        (503, "{}", "server errors"),
        (403, '{"error_code": "PERMISSION_DENIED", "message": "not you"}', "not you"),
    ],
)
def test_what_is_no_mlflow_does_not_count_as_one(status, body, message):
    with server(saying(status, body)) as uri, pytest.raises(OutageError, match=message):
        asked(uri)


@pytest.mark.parametrize(
    "body", ["You are not authenticated.", '{"error_code": "UNAUTHENTICATED", "message": "no"}']
)
def test_a_login_that_is_refused_is_reported_as_such_and_not_retried(body, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hidden")
    with (
        server(saying(401, body)) as uri,
        pytest.raises(ConfigError, match=r"our login.*set MLFLOW_TRACKING_TOKEN") as error,
    ):
        asked(uri)

    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    ("foreign", "fix"),
    [
        ({}, r"unset MLFLOW_TRACKING_TOKEN if it is set; `PLIMSOLL_HOME=.* make up` writes"),
        (
            {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hidden"},
            "unset MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, which go before",
        ),
    ],
)
def test_the_embedded_stack_names_the_variable_that_hides_its_token(
    foreign, fix, monkeypatch, tmp_path
):
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    with socket.socket(socket.AF_UNIX) as supervisor, server(saying(401, "no")) as uri:
        supervisor.bind(str(tmp_path / "s"))
        supervisor.listen()
        stack = EmbeddedStack(tmp_path / "s", Login("", "", ""))
        here = replace(settings.load(), mlflow_uri=uri, stack=stack, home=tmp_path)
        with pytest.raises(ConfigError, match=fix) as error, answering(here):
            pass

    assert "hidden" not in str(error.value)


def test_a_server_that_hangs_is_not_waited_for():
    began = time.monotonic()

    with (
        server(lambda _: time.sleep(5)) as uri,
        pytest.raises(OutageError, match="does not answer in time"),
    ):
        asked(uri)

    assert time.monotonic() - began < 8


def test_a_server_that_trickles_is_not_waited_for():
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(12):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.5)

    with server(trickle) as uri, pytest.raises(OutageError, match="no answer within 3 s"):
        asked(uri)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("http://u:hidden@", "no connection"),
        ("https://u:hidden@", "no connection"),
        ("postgresql://u:hidden@", "cannot be asked"),
        ("ftp://u:hidden@", "MLflow knows no such kind of address"),
    ],
)
def test_what_is_not_there_is_named_without_the_password(kind, message):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        uri = f"{kind}127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OutageError, match=message) as error:
            asked(uri)

    assert "hidden" not in str(error.value)


def test_nobody_said_which():
    here = replace(settings.load(), mlflow_uri=None)

    with pytest.raises(ConfigError, match="no MLflow to ask"):
        connection.connect(here)


def test_an_mlflow_that_falls_silent_while_it_is_asked_is_an_outage():
    answers = iter([saying(404, NO_SUCH_MODEL)])

    def once(handler: BaseHTTPRequestHandler) -> None:
        next(answers, saying(500, "gone"))(handler)

    with server(once) as uri:
        here = replace(settings.load(), mlflow_uri=uri, stack=None)
        with pytest.raises(OutageError, match="server errors"), answering(here):
            connection.connect(here).get_experiment("0")


def test_a_file_of_ones_own_is_obeyed(tmp_path):
    assert asked(f"sqlite:///{tmp_path}/mlflow.db")
    assert (tmp_path / "mlflow.db").exists()
