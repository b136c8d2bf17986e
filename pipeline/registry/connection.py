"""A quiet MLflow client, and a check whether MLflow answers at all."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import mlflow
import requests
import urllib3.exceptions
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

from pipeline.errors import ConfigError, OutageError, PlimsollError
from pipeline.settings import (
    Deployment,
    environment,
    hand_to_mlflow,
    home_prefix,
    named,
    nobody_said,
    refuse_nowhere,
)
from pipeline.shell import python_of

Client = MlflowClient
"""Its name outside this package, the only one that imports MLflow."""

# A user waits for the answer; MLflow itself would try for four minutes.
_REQUEST_S = 10
_ANSWER_S = 20.0
_FILE_S = 90.0  # a file that is new is given its tables first
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_NOBODY = "plimsoll-asks-whether-mlflow-is-there"
_STRANGER = "something else than MLflow answers there"
_WORDS: dict[type[BaseException], str] = {
    # urllib3 counts it as a timeout, whatever the reason.
    urllib3.exceptions.NewConnectionError: "no connection",
    urllib3.exceptions.TimeoutError: "it does not answer in time",
    requests.exceptions.Timeout: "it does not answer in time",
    requests.exceptions.ProxyError: "the proxy does not let it through",
    requests.exceptions.SSLError: "its certificate is not accepted",
    requests.exceptions.RetryError: "it answers with server errors",
    requests.exceptions.InvalidURL: "that is no address",
    requests.exceptions.ConnectionError: "no connection",
    KeyError: "MLflow knows no such kind of address",
}
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_UNAUTHENTICATED = "UNAUTHENTICATED"
_NO_LOGIN = "does not accept our login, or got none"


def connect(settings: Deployment) -> MlflowClient:
    """A client of the deployment's MLflow server.

    Raises:
        ConfigError: no server is configured.
    """
    uri = _uri(settings)
    hand_to_mlflow(settings)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient()


@contextmanager
def answering(settings: Deployment) -> Iterator[None]:
    """A context for a waiting user, in which MLflow answers soon or an error says that it does not.

    Raises:
        ConfigError: no server is configured, or it does not accept our login.
        OutageError: the stack is down, or MLflow does not answer, or something else does.
    """
    refuse_nowhere(settings)
    uri = _uri(settings)
    patience = {_TIMEOUT: named(_TIMEOUT) or str(_REQUEST_S)}
    with environment(patience | _without_proxy(settings, uri)):
        with environment({_RETRIES: "0"}):
            _refuse_silence(settings, uri)
        with environment({_RETRIES: "1"}):
            try:
                yield
            except (MlflowException, requests.RequestException) as error:
                raise _unanswered(settings, uri, _reason(error)) from error


def _uri(settings: Deployment) -> str:
    if settings.mlflow_uri is None:
        raise nobody_said(settings)
    return settings.mlflow_uri


def _without_proxy(settings: Deployment, uri: str) -> dict[str, str]:
    """Variables that make HTTP libraries bypass proxies for the embedded stack on this machine."""
    if settings.stack is None:
        return {}
    known = named("NO_PROXY") or named("no_proxy")
    value = ",".join(filter(None, (known, urlsplit(uri).hostname)))
    return {"NO_PROXY": value, "no_proxy": value}


def _refuse_silence(settings: Deployment, uri: str) -> None:
    """Ask for a model that does not exist: only MLflow answers that as expected.

    In a thread of its own, because some servers neither answer nor hang up, and MLflow waits for a
    database for half an hour.
    """
    remote = uri.startswith("http")
    found: list[str | None] = []
    asking = threading.Thread(
        target=lambda: found.append(_ask(settings, remote=remote)), daemon=True
    )
    asking.start()
    asking.join(patience := _FILE_S if uri.startswith("sqlite") else _ANSWER_S)
    reason = found[0] if found else f"no answer within {patience:.0f} s"
    if reason is not None:
        raise _unanswered(settings, uri, reason)


def _ask(settings: Deployment, *, remote: bool) -> str | None:
    """None when MLflow answers as expected, else the reason why not."""
    # It logs each try, with the address and its password.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.ERROR)
    try:
        found = connect(settings).get_registered_model(_NOBODY)
    except RestException as error:
        code = error.json.get("error_code")
        if code == _ABSENT:
            return None
        return _reason(error) if code else _STRANGER
    except MlflowException as error:
        return None if error.error_code == _ABSENT and not remote else _reason(error)
    except Exception as error:  # noqa: BLE001 - any error of a driver means that MLflow does not answer
        return _reason(error)
    return None if found.name == _NOBODY else _STRANGER


def _reason(error: BaseException) -> str:
    """The reason in words, without the driver's own text, which may hold the password."""
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    kinds = tuple(type(each) for each in chain)
    for kind, words in _WORDS.items():
        if any(issubclass(each, kind) for each in kinds):
            return words
    if isinstance(error, MlflowException) and error.error_code == _UNAUTHENTICATED:
        return _NO_LOGIN
    if isinstance(error, RestException):
        return str(error.message).splitlines()[0][:300]
    if status := re.search(r"failed with error code (\d+)", str(error)):
        return f"status {status[1]}"
    return _STRANGER if "valid JSON" in str(error) else kinds[-1].__name__


def _unanswered(settings: Deployment, uri: str, reason: str) -> PlimsollError:
    if reason == _NO_LOGIN:
        return ConfigError(f"MLflow at {_shown(uri)} {reason}: {_login_fix(settings)}.")
    if settings.stack is None:
        fix = "check MLFLOW_TRACKING_URI and that server, or unset it to use the embedded stack"
    else:
        fix = f"look at it with `{python_of(settings)} -m deploy.embedded status`"
    return OutageError(f"MLflow at {_shown(uri)} cannot be asked ({reason}); {fix}.")


def _login_fix(settings: Deployment) -> str:
    if settings.stack is None:
        return (
            "set MLFLOW_TRACKING_TOKEN to its token, or MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD to a login, which go before the token"
        )
    if named("MLFLOW_TRACKING_USERNAME") and named("MLFLOW_TRACKING_PASSWORD"):
        return (
            "unset MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, which go before the "
            f"token that the stack in {settings.home} left for its commands"
        )
    start = f"{home_prefix(settings.home)}make up"
    return f"unset MLFLOW_TRACKING_TOKEN if it is set; `{start}` writes the stack's own again"


def _shown(uri: str) -> str:
    """`uri` without the password that it may hold."""
    head, mark, rest = uri.partition("://")
    return f"{head}{mark}{rest.rpartition('@')[2]}" if mark else uri
