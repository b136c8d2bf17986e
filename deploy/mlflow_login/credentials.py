"""The one login and the one token that a server accepts, kept as digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

USER, PASSWORD, TOKEN = (
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)
"""The server reads what it accepts from the variables that MLflow's client reads."""

SHORTEST = 12


class NoLoginError(Exception):
    """The environment does not say which login to accept; the message names the variable."""


@dataclass(frozen=True)
class Credentials:
    """The accepted login and token.

    A plain SHA-256 is enough: token and password are random, and are in this process's environment
    anyway.

    Attributes:
        login: digest of `user:password`, as HTTP Basic spells it.
        token: digest of the bearer token.
        key: signs sessions; another login or token ends all of them.
    """

    login: bytes = field(repr=False)
    token: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def accepts_login(self, login: bytes) -> bool:
        """Whether `login`, user and password with a colon between, is the right one."""
        return hmac.compare_digest(digest(login), self.login)

    def accepts_token(self, token: bytes) -> bool:
        """Whether `token` is the right one."""
        return hmac.compare_digest(digest(token), self.token)


def read_credentials(environment: Mapping[str, str]) -> Credentials:
    """The credentials that the variables name.

    Raises:
        NoLoginError: one is missing, too short to be safe, or not what HTTP can carry.
    """
    for name in (USER, PASSWORD, TOKEN):
        if not environment.get(name):
            raise NoLoginError(
                f"{name} is not set, and an MLflow without a login is not served: `make up` "
                "(embedded stack) and `make secrets` (docker compose) generate one."
            )
    user, password, token = (environment[name] for name in (USER, PASSWORD, TOKEN))
    if ":" in user:
        raise NoLoginError(f"{USER} holds a colon, which HTTP reads as its end: leave it out.")
    for name, value in ((PASSWORD, password), (TOKEN, token)):
        if len(value) < SHORTEST:
            raise NoLoginError(
                f"{name} has {len(value)} characters; at least {SHORTEST} are needed."
            )
    login = digest(f"{user}:{password}".encode())
    key = hmac.new(token.encode(), b"sessions of MLflow " + login, hashlib.sha256).digest()
    return Credentials(login, digest(token.encode()), key)


def login_in(basic: bytes) -> bytes:
    """The `user:password` of an HTTP Basic header's value; empty when it holds none."""
    try:
        return base64.b64decode(basic, validate=True)
    except binascii.Error:
        return b""


def digest(value: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(value).digest()
