"""WHERE Plimsoll runs: the deployment's settings, read from the environment only here.

WHAT it does lives in the detector files (`pipeline.config`).

A shell that sets nothing gets the settings of the embedded stack, if one was ever started here:
each start writes them to a record, so that a command typed in a plain shell uses the same
tables, locks and registry as the stack's tasks.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.errors import ConfigError, OutageError

REPOSITORY = Path(__file__).resolve().parent.parent
HOME = REPOSITORY / ".plimsoll"

_MLFLOW = "MLFLOW_TRACKING_URI"
_TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - the name of the variable
_MLFLOW_FILES = "_MLFLOW_SERVER_ARTIFACT_ROOT"  # what `mlflow server` sets; a client has no other
_STORAGE = "PLIMSOLL_STORAGE"
_DATABASE = "PLIMSOLL_DATABASE"
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Login:
    """The address and login of the embedded stack's Airflow."""

    url: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class EmbeddedStack:
    """The embedded stack whose settings these are.

    Attributes:
        socket: of its supervisor, which listens there as long as the stack is up.
        airflow: its Airflow.
    """

    socket: Path
    airflow: Login

    @property
    def is_up(self) -> bool:
        """Whether the stack is up, or coming up or going down."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE_S)
            try:
                connection.connect(str(self.socket))
            except OSError:  # no supervisor listens
                return False
        return True


@dataclass(frozen=True)
class Deployment:
    """The places of the tables, the registry and the detector files.

    Attributes:
        storage: root of the Delta tables, a local path or an `s3://` URI.
        detectors: folder of the detector files.
        data: where relative paths in detector files begin, a local folder or an `s3://` URI.
        cache: local folder for downloads that can be fetched again.
        lineage: local folder of the lineage files, see `pipeline.lineage`; each host has its own.
        mlflow_uri: the tracking server as tasks reach it, without user and password; None:
            not configured.
        mlflow_url: the same server as a person's browser reaches it; goes into links.
        database: Postgres DSN for promotion locks and metrics; None means that no metrics are
            recorded, and a file lock beside the cache, which is right on one host only.
        home: where the embedded stack keeps its state, and all that has no other place configured.
        stack: the embedded stack of these settings; None: of another deployment.
        command: how this command line is typed, if the deployment says so.
        airflow_command: the same for Airflow's.
        mlflow_login: user and password of the tracking server, where its URL names them.
        ledger_database: the same Postgres as `database`, as the role that may write the heads of
            ledgers; None: no other role has that right.
        mlflow_token: a token that the tracking server accepts instead of these.
    """

    storage: str
    detectors: Path
    data: str
    cache: Path
    lineage: Path
    mlflow_uri: str | None
    mlflow_url: str
    database: str | None = field(repr=False)
    home: Path = HOME
    stack: EmbeddedStack | None = None
    command: str | None = None
    airflow_command: str | None = None
    mlflow_login: tuple[str, str] | None = field(default=None, repr=False)
    ledger_database: str | None = field(default=None, repr=False)
    mlflow_token: str | None = field(default=None, repr=False)


def load() -> Deployment:
    """The settings of this process: `PLIMSOLL_*` and `MLFLOW_TRACKING_URI`, then the record.

    The environment wins. Where it names another MLflow or other tables than the embedded stack's,
    nothing is read from the stack's record.

    Raises:
        ConfigError: the stack's record cannot be read, and the environment does not say enough.
    """
    home = _home()
    # An empty variable counts as not set, except that it may mean that there is no database.
    given = {name: value for name, value in os.environ.items() if value or name == _DATABASE}
    try:
        record = _recorded(home)
    except ConfigError:
        # A task of the stack gets all that it needs from the environment, and need not stop.
        if not {_MLFLOW, _STORAGE} <= given.keys():
            raise
        record = {}
    recorded = record.get("variables", {})
    same_world = bool(recorded) and all(
        _as_written(given.get(name, recorded[name])) == _as_written(recorded[name])
        for name in (_MLFLOW, _STORAGE)
    )
    values: dict[str, str] = {**(recorded if same_world else {}), **given}
    mlflow_uri, login = _without_login(values.get(_MLFLOW))
    return Deployment(
        storage=values.get(_STORAGE, str(home / "lake")),
        detectors=Path(values.get("PLIMSOLL_DETECTORS", REPOSITORY / "detectors")),
        data=values.get("PLIMSOLL_DATA", str(home / "data")),
        cache=Path(values.get("PLIMSOLL_CACHE", home / "cache")),
        lineage=Path(values.get("PLIMSOLL_LINEAGE", home / "lineage")),
        mlflow_uri=mlflow_uri,
        mlflow_url=values.get("PLIMSOLL_MLFLOW_URL", mlflow_uri or "").rstrip("/"),
        database=values.get(_DATABASE) or None,
        home=home,
        stack=_stack(record) if same_world else None,
        command=values.get("PLIMSOLL_COMMAND"),
        airflow_command=values.get("PLIMSOLL_AIRFLOW_COMMAND"),
        mlflow_login=login,
        ledger_database=values.get("PLIMSOLL_LEDGER_DATABASE") or None,
        mlflow_token=values.get(_TOKEN),
    )


def _without_login(url: str | None) -> tuple[str | None, tuple[str, str] | None]:
    """An http URL without the user and password before its host, and these.

    Every message of a client, every link on a card and every log line would carry them.
    """
    if url is None:
        return None, None
    scheme, found, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    if not (found and at and scheme in ("http", "https")):
        return url, None
    user, _, password = login.partition(":")
    return f"{scheme}://{host}", (unquote(user), unquote(password))


def hand_to_mlflow(here: Deployment) -> None:
    """Put login and token of the tracking server into the variables that MLflow reads.

    It draws no progress bars unless asked to. With a database in SQLite its files lie beside that,
    not in the working folder of whoever calls.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    scheme, _, database = (here.mlflow_uri or "").partition(":///")
    if scheme == "sqlite" and database:
        beside = Path(database.partition("?")[0]).resolve().with_name("mlruns")
        os.environ[_MLFLOW_FILES] = beside.as_uri()
    if here.mlflow_token is not None:
        os.environ[_TOKEN] = here.mlflow_token
    if here.mlflow_login is not None:
        user, password = here.mlflow_login
        os.environ["MLFLOW_TRACKING_USERNAME"] = user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = password


def named(variable: str) -> str | None:
    """A variable that a detector file (`source.url_env`) or a library names; None: not set."""
    return os.environ.get(variable)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment with `variables`, for libraries that read it, while the context lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def refuse_nowhere(here: Deployment) -> None:
    """Refuse settings without tables, and those of an embedded stack that is down.

    Raises:
        ConfigError: no tables are configured.
        OutageError: it is the embedded stack of this machine, and that is down.
    """
    if here.stack is not None:
        if not here.stack.is_up:
            msg = (
                f"The stack in {here.home} is down, and its MLflow with it: start it with "
                f"`{home_prefix(here.home)}make up`."
            )
            raise OutageError(msg)
    elif here.mlflow_uri is None and not named(_STORAGE):
        raise nobody_said(here)


def nobody_said(here: Deployment) -> ConfigError:
    """The error where `here` names no MLflow."""
    start = f"{home_prefix(here.home)}make up"
    if record_path(here.home).exists():
        return ConfigError(
            f"{_MLFLOW} is not set, and {_STORAGE} names other tables than those of the stack in "
            f"{here.home}. Unset {_STORAGE} to ask that stack, or set {_MLFLOW}."
        )
    if record_path(here.home).with_name("stack.json").exists():
        return ConfigError(
            f"The stack in {here.home} was started by an older Plimsoll, which did not record "
            f"where its MLflow is. `{start}` fixes that; a stack that runs goes on running."
        )
    return ConfigError(
        f"There is no MLflow to ask: no stack was ever started in {here.home}, and {_MLFLOW} is "
        f"not set. Start one with `{start}`, or set {_MLFLOW}."
    )


def record_path(home: Path) -> Path:
    """The file in which the embedded stack in `home` records its settings; it holds passwords."""
    return home / "run" / "settings.json"


def record_of(variables: Mapping[str, str], supervisor: Path, airflow: Login) -> dict[str, Any]:
    """The record that the stack writes to `record_path`, for `load`."""
    return {
        "variables": dict(variables),
        "socket": str(supervisor),
        "airflow": asdict(airflow),
    }


def home_prefix(home: Path) -> str:
    """The prefix of a command about the stack in `home`; empty where `home` is the default."""
    return "" if home == HOME.resolve() else f"PLIMSOLL_HOME={shlex.quote(str(home))} "


def _home() -> Path:
    return Path(os.environ.get("PLIMSOLL_HOME") or HOME).expanduser().resolve()


def _as_written(uri: str) -> str:
    """The canonical form of a path or URI on this machine."""
    if "://" not in uri:
        return str(Path(uri).expanduser().resolve())
    return uri.rstrip("/").replace("//localhost:", "//127.0.0.1:")


def _recorded(home: Path) -> dict[str, Any]:
    path = record_path(home)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _stack(record)
        _ = record["variables"][_MLFLOW], record["variables"][_STORAGE]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        msg = (
            f"{path}, in which the embedded stack says where it is, cannot be read ({why}). Start "
            f"the stack with `{home_prefix(home)}make up`, which writes it again, as the user that "
            f"owns it; or set {_MLFLOW} and PLIMSOLL_HOME to the deployment that you mean."
        )
        raise ConfigError(msg) from error
    return record


def _stack(record: Mapping[str, Any]) -> EmbeddedStack:
    return EmbeddedStack(Path(record["socket"]), Login(**record["airflow"]))
