"""The middleware around MLflow's whole application: it refuses requests without a login."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.mlflow_login import session
from deploy.mlflow_login.credentials import Credentials, login_in
from deploy.mlflow_login.own_page import RequestOrigin, local_target
from deploy.mlflow_login.page import POLICY, login_page
from deploy.mlflow_login.throttle import Throttle

HEALTH, LOGIN, LOGOUT = "/health", "/login", "/logout"
LONGEST_FORM = 4096
FORM = "application/x-www-form-urlencoded"
UNAUTHENTICATED = {
    "error_code": "UNAUTHENTICATED",
    "message": "This MLflow asks for a login. Programs send its token: set MLFLOW_TRACKING_TOKEN, "
    "or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. People sign in at /login.",
}
FOREIGN = {
    "error_code": "PERMISSION_DENIED",
    "message": "A page of another address asked with the session of this browser. It may link to "
    "MLflow; it may not use it.",
}
TOO_MANY = {
    "error_code": "REQUEST_LIMIT_EXCEEDED",
    "message": "Too many wrong logins: wait a minute. The token is accepted meanwhile.",
}
_PRIVATE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # "no-referrer" would hide the Origin of the login form
}
_ASKED = {"WWW-Authenticate": 'Bearer realm="MLflow"'}  # Basic would open the browser's own window

_logger = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class RequestFacts:
    """The facts of a request by which the middleware decides."""

    authorization: tuple[bytes, ...]
    cookies: tuple[bytes, ...]
    origin: RequestOrigin
    accepts_html: bool
    is_secure: bool


class LoginRequired:
    """ASGI middleware: a request with the token, the login or a session goes on to `app`.

    Only the health check, exactly as it is spelled, and the login page need none. Everything else
    is refused before MLflow sees it, so it does not matter how MLflow reads a path.
    """

    def __init__(
        self, app: ASGIApp, credentials: Credentials, clock: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._credentials = credentials
        self._clock = clock
        self._throttle = Throttle()
        self._cookie = session.cookie_name(credentials.key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
        elif kind == "http":
            await self._answer(scope, receive, send)
        elif kind == "websocket":
            await self._open(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts = read_facts(scope)
        if _is_at(scope, HEALTH) and facts.origin.method in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif _is_at(scope, LOGIN):
            response = await self._login(Request(scope, receive), facts)
            await response(scope, receive, send)
        elif _is_at(scope, LOGOUT):
            await self._logout(facts)(scope, receive, send)
        elif (refusal := self._refusal(scope, facts)) is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(_without_login(scope), receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The handshake is a GET, but what follows may change anything.
        facts = read_facts({**scope, "method": "POST"})
        if self._refusal(scope, facts) is None:
            await self._app(_without_login(scope), receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope, facts: RequestFacts) -> Response | None:
        """None when the request may go on."""
        wait_s = 0
        if len(facts.authorization) == 1:
            scheme, _, value = facts.authorization[0].partition(b" ")
            value = value.strip()
            if scheme.lower() == b"bearer" and self._credentials.accepts_token(value):
                return None
            if scheme.lower() == b"basic":
                wait_s = self._throttle.wait_s()
                if not wait_s and self._is_login(login_in(value)):
                    return None
        if self._has_session(facts):
            return None if facts.origin.may_use_session() else _refused(403, FOREIGN)
        if wait_s:
            return _refused(429, TOO_MANY, {"Retry-After": str(wait_s)})
        if facts.accepts_html and facts.origin.method in ("GET", "HEAD"):
            return _to_login(scope)
        return _refused(401, UNAUTHENTICATED, _ASKED)

    def _has_session(self, facts: RequestFacts) -> bool:
        key, now = self._credentials.key, self._clock()
        shown = session.values_of(self._cookie, facts.cookies)
        return any(session.is_session(key, value, now) for value in shown)

    def _is_login(self, login: bytes) -> bool:
        right = self._credentials.accepts_login(login)
        if not right and self._throttle.note_wrong(login):
            _logger.warning("MLflow was asked with a wrong login")
        return right

    async def _login(self, request: Request, facts: RequestFacts) -> Response:
        target = local_target(request.query_params.get("to", "/"))
        if request.method in ("GET", "HEAD"):
            if self._has_session(facts):
                return _redirect(target)
            gone = "signed_out" in request.query_params
            return _page(200, notice="You are signed out." if gone else "")
        if request.method != "POST":
            return Response(status_code=405, headers=_PRIVATE | {"Allow": "GET, HEAD, POST"})
        if not facts.origin.is_own_page():
            return _refused(403, FOREIGN)
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            return Response(status_code=415, headers=_PRIVATE)
        form = await _form(request)
        return (
            Response(status_code=413, headers=_PRIVATE)
            if form is None
            else self._enter(form, target, facts)
        )

    def _enter(self, form: bytes, target: str, facts: RequestFacts) -> Response:
        fields = parse_qs(form.decode("latin-1"))
        user, password = (fields.get(name, [""])[0] for name in ("user", "password"))
        if wait_s := self._throttle.wait_s():
            fault = f"Too many wrong logins. Try again in {wait_s} seconds."
            return _page(429, {"Retry-After": str(wait_s)}, user=user, fault=fault)
        if not self._is_login(f"{user}:{password}".encode()):
            return _page(401, _ASKED, user=user, fault="User or password is wrong.")
        value = session.new_session(self._credentials.key, self._clock())
        return _redirect(target, self._set_cookie(value, session.SESSION_S, facts))

    def _logout(self, facts: RequestFacts) -> Response:
        if not facts.origin.may_use_session():
            return _refused(403, FOREIGN)
        return _redirect(f"{LOGIN}?signed_out=", self._set_cookie("", 0, facts))

    def _set_cookie(self, value: str, lasts_s: int, facts: RequestFacts) -> str:
        return session.set_cookie(self._cookie, value, lasts_s=lasts_s, secure=facts.is_secure)


def read_facts(scope: Scope) -> RequestFacts:
    """The facts of a request that decide whether it is accepted."""
    authorization, cookies = [], []
    found = {}
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization.append(value)
        elif name == b"cookie":
            cookies.append(value)
        elif name in _DECISIVE:
            found[name] = value.decode("latin-1")
    origin = RequestOrigin(
        scope["method"],
        host=found.get(b"host", ""),
        origin=found.get(b"origin", ""),
        site=found.get(b"sec-fetch-site", ""),
        mode=found.get(b"sec-fetch-mode", ""),
        destination=found.get(b"sec-fetch-dest", ""),
    )
    # A proxy that terminates TLS reaches us without it; the browser's headers may say so.
    secure = scope.get("scheme") == "https" or origin.origin.startswith("https://")
    return RequestFacts(
        tuple(authorization),
        tuple(cookies),
        origin,
        accepts_html="text/html" in found.get(b"accept", ""),
        is_secure=secure or found.get(b"x-forwarded-proto") == "https",
    )


_DECISIVE = frozenset(
    {
        b"host",
        b"origin",
        b"accept",
        b"sec-fetch-site",
        b"sec-fetch-mode",
        b"sec-fetch-dest",
        b"x-forwarded-proto",
    }
)


def _is_at(scope: Scope, path: str) -> bool:
    """Whether the request names `path` letter by letter, not only once it is decoded."""
    raw = scope.get("raw_path")
    return bool(scope["path"] == path) and raw in (None, path.encode())


def _without_login(scope: Scope) -> Scope:
    """The request without its Authorization header: MLflow does not need it."""
    headers = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
    return {**scope, "headers": headers}


async def _form(request: Request) -> bytes | None:
    """The body of a login form; None when it is too long for one."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_FORM:
                return None
    except ClientDisconnect:
        return b""
    return body


def _to_login(scope: Scope) -> Response:
    path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    target = f"{path}?{query}" if query else path
    return _redirect(LOGIN if target == "/" else f"{LOGIN}?to={quote(target, safe='/')}")


def _redirect(path: str, cookie: str | None = None) -> Response:
    more = {"Set-Cookie": cookie} if cookie else {}
    return RedirectResponse(path, status_code=303, headers=_PRIVATE | more)


def _refused(status: int, body: dict[str, str], more: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, status_code=status, headers=_PRIVATE | (more or {}))


def _page(
    status: int,
    more: dict[str, str] | None = None,
    *,
    user: str = "",
    fault: str = "",
    notice: str = "",
) -> Response:
    headers = _PRIVATE | {"Content-Security-Policy": POLICY} | (more or {})
    page = login_page(user=user, fault=fault, notice=notice)
    return HTMLResponse(page, status_code=status, headers=headers)
