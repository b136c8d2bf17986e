"""The session cookie of a browser: its signed expiry, and nothing else.

The server stores no sessions, so that they survive its restart; a new password or token ends
them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

SESSION_S = 12 * 3600

_VALUE = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


def cookie_name(key: bytes) -> str:
    """The cookie's name, different for each stack, as cookies ignore ports."""
    return f"plimsoll-mlflow-{hashlib.sha256(key).hexdigest()[:8]}"


def new_session(key: bytes, now: float) -> str:
    """The value of a session that begins now."""
    ends = str(int(now) + SESSION_S)
    return f"{ends}.{_signature(key, ends)}"


def is_session(key: bytes, value: str, now: float) -> bool:
    """Whether `value` is a session of ours that has not ended."""
    found = _VALUE.fullmatch(value)
    if found is None or not hmac.compare_digest(found[2], _signature(key, found[1])):
        return False
    return now < int(found[1])


def values_of(name: str, cookies: Iterable[bytes]) -> list[str]:
    """Every value of the cookie `name` in the Cookie headers of a request."""
    pairs = (
        pair.strip().partition("=")
        for header in cookies
        for pair in header.decode("latin-1").split(";")
    )
    return [value for found, _, value in pairs if found == name]


def set_cookie(name: str, value: str, *, lasts_s: int, secure: bool) -> str:
    """The Set-Cookie header; `lasts_s` 0 deletes the cookie.

    Lax, not Strict: a link to a version, in a message or in Airflow, needs the session.
    """
    cookie = f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts_s}"
    return f"{cookie}; Secure" if secure else cookie


def _signature(key: bytes, ends: str) -> str:
    made = hmac.new(key, ends.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
