"""The Postgres of `PLIMSOLL_DATABASE`: locks and metrics live there.

The URL holds a password, so no part of it is ever shown: not in our messages, and not in those of
the driver, which quotes what it could not parse.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg2

from pipeline.errors import ConfigError, OutageError

_SCHEMES = ("postgresql", "postgres")
_FORM = (
    "PLIMSOLL_DATABASE holds no Postgres URL ({}); write "
    "postgresql://user:password@host:5432/database, characters such as @ : / # of the password "
    "percent-encoded (@ is %40)."
)


def connected(url: str, **options: Any) -> Any:
    """A psycopg2 connection to `url`, with further `options` of libpq.

    SQLAlchemy's form, `postgresql+psycopg2://...`, means the same.

    Raises:
        ConfigError: `url` is no Postgres URL.
        OutageError: Postgres does not answer, or refuses the login.
    """
    where = parameters(url)
    try:
        return psycopg2.connect(**{**where, **options})
    except psycopg2.Error as error:
        raise OutageError(
            f"Postgres at PLIMSOLL_DATABASE does not answer ({said(error, url)})."
        ) from None


def parameters(url: str) -> dict[str, str]:
    """The parameters of libpq for `url`.

    Raises:
        ConfigError: `url` is no Postgres URL; the message names what is wrong and quotes nothing.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ConfigError(_FORM.format("its host or port is not valid")) from None
    if parts.scheme.partition("+")[0] not in _SCHEMES:
        raise ConfigError(_FORM.format("it does not begin with postgresql://"))
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        raise ConfigError(_FORM.format("its user and password are not separated from its host"))
    # `hostname` is in lower case, and the folder of a socket need not be.
    placed = parts.netloc.rpartition("@")[2]
    given = {
        "host": host if placed.startswith("[") else placed.partition(":")[0],
        "port": None if port is None else str(port),
        "user": parts.username,
        "password": parts.password,
        "dbname": parts.path.removeprefix("/"),
    }
    named = {name: unquote(value) for name, value in given.items() if value}
    return named | dict(parse_qsl(parts.query))


def said(error: Exception, url: str) -> str:
    """The driver's message, on one line and without the password."""
    text = " ".join(str(error).split())
    secret = parameters(url).get("password")
    # As a word: a password of one letter is in most words, which do not reveal it.
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text) if secret else text
