"""WHERE Plimsoll runs: the deployment's settings, read from the environment in this one place.

WHAT it does lives in the detector files (`pipeline.config`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

REPOSITORY = Path(__file__).resolve().parent.parent
HOME = REPOSITORY / ".plimsoll"


@dataclass(frozen=True)
class Settings:
    """Where the tables, the registry and the detector files are.

    Attributes:
        storage: root of the Delta tables, a local path or an `s3://` URI.
        detectors: folder of the detector files.
        data: where relative paths in detector files begin, a local folder or an `s3://` URI.
        cache: local folder for downloads that can be fetched again.
        lineage: local folder of the lineage files, see `pipeline.lineage`; each host has its own.
        mlflow_uri: the tracking server as tasks reach it, without user and password.
        mlflow_url: the same server as a person's browser reaches it; goes into links.
        database: Postgres DSN for promotion locks and metrics; None means that no metrics are
            recorded, and a file lock beside the cache, which is right on one host only.
        mlflow_login: user and password of the tracking server, where its URL names them.
    """

    storage: str
    detectors: Path
    data: str
    cache: Path
    lineage: Path
    mlflow_uri: str
    mlflow_url: str
    database: str | None = field(repr=False)
    mlflow_login: tuple[str, str] | None = field(default=None, repr=False)


def load() -> Settings:
    """The settings of this process, from `PLIMSOLL_*` and `MLFLOW_TRACKING_URI`."""
    given = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{HOME / 'mlflow.db'}")
    mlflow_uri, login = _without_login(given)
    return Settings(
        storage=os.environ.get("PLIMSOLL_STORAGE", str(HOME / "lake")),
        detectors=Path(os.environ.get("PLIMSOLL_DETECTORS", REPOSITORY / "detectors")),
        data=os.environ.get("PLIMSOLL_DATA", str(HOME / "data")),
        cache=Path(os.environ.get("PLIMSOLL_CACHE", HOME / "cache")),
        lineage=Path(os.environ.get("PLIMSOLL_LINEAGE", HOME / "lineage")),
        mlflow_uri=mlflow_uri,
        mlflow_url=os.environ.get("PLIMSOLL_MLFLOW_URL", mlflow_uri).rstrip("/"),
        database=os.environ.get("PLIMSOLL_DATABASE"),
        mlflow_login=login,
    )


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """An http URL without the user and password before its host, and these.

    Every message of a client, every link on a card and every log line would carry them.
    """
    scheme, found, rest = url.partition("://")
    login, at, host = rest.rpartition("@")
    if not (found and at and scheme in ("http", "https")):
        return url, None
    user, _, password = login.partition(":")
    return f"{scheme}://{host}", (unquote(user), unquote(password))


def hand_to_mlflow(here: Settings) -> None:
    """Put the login of the tracking server where alone MLflow looks for it and never quotes it."""
    if here.mlflow_login is not None:
        user, password = here.mlflow_login
        os.environ["MLFLOW_TRACKING_USERNAME"] = user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = password


def named(variable: str) -> str | None:
    """A variable that a detector file (`source.url_env`) or a library names; None: not set."""
    return os.environ.get(variable)
