"""Attacks on the login before a real MLflow, and everybody who has to come in."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import mlflow
import psutil
import pytest

from deploy.mlflow_login import session
from deploy.mlflow_login.credentials import PASSWORD, TOKEN, USER, read_credentials
from deploy.mlflow_login.throttle import GUESSES
from pipeline import settings
from pipeline.errors import ConfigError
from pipeline.registry.connection import answering, connect
from tests.mlflow_server import LOGIN, Server, running_mlflow, server_command, server_environment
from tests.s3_server import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

MODEL = "pumps"
KEY = read_credentials(LOGIN).key
COOKIE = session.cookie_name(KEY)
HTML = {"Accept": "text/html,application/xhtml+xml"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
RIGHT = urlencode({"user": LOGIN[USER], "password": LOGIN[PASSWORD]})
READING = ("GET", f"/api/2.0/mlflow/registered-models/get?name={MODEL}")
MOVING = ("POST", "/api/2.0/mlflow/registered-models/alias")
AJAX_MOVING = ("POST", "/ajax-api/2.0/mlflow/registered-models/alias")
ALIAS = json.dumps({"name": MODEL, "alias": "champion", "version": "2"})
ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/1/detector.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a model of two versions, the first of which is live, and an artifact."""
    folder = tmp_path_factory.mktemp("mlflow")
    with running_mlflow(folder, free_ports(1)[0]) as running:
        with httpx.Client(
            base_url=running.url, headers=running.bearer, timeout=60, trust_env=False
        ) as client:
            api = "/api/2.0/mlflow"
            client.post(f"{api}/registered-models/create", json={"name": MODEL}).raise_for_status()
            experiment = client.post(f"{api}/experiments/create", json={"name": MODEL}).json()
            run = client.post(f"{api}/runs/create", json=experiment).raise_for_status().json()
            source = run["run"]["info"]["artifact_uri"]
            version = {"name": MODEL, "source": source, "run_id": run["run"]["info"]["run_id"]}
            for _ in "12":
                client.post(f"{api}/model-versions/create", json=version).raise_for_status()
            live = {"name": MODEL, "alias": "champion", "version": "1"}
            client.post(f"{api}/registered-models/alias", json=live).raise_for_status()
            client.put(ARTIFACT, content=b'{"threshold": 1.0}').raise_for_status()
        yield running


@pytest.fixture(autouse=True)
def nothing_has_changed(server: Server) -> Iterator[None]:
    """Check after each test that alias and artifact are unchanged."""
    yield
    with httpx.Client(headers=server.bearer, timeout=60, trust_env=False) as client:
        found = client.get(f"{server.url}{READING[1]}").raise_for_status().json()
        assert found["registered_model"]["aliases"] == [{"alias": "champion", "version": "1"}]
        assert client.get(f"{server.url}{ARTIFACT}").json() == {"threshold": 1.0}


class Answer:
    """An answer as it came, its redirects not followed and its request's path not made nicer."""

    def __init__(self, server: Server, method: str, path: str, **how: Any) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        host = how.pop("host", f"127.0.0.1:{server.port}")
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        body = how.pop("body", "").encode()
        for name, value in {**how.pop("headers", {}), "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        found = connection.getresponse()
        self.status, self.headers, self.text = found.status, found.headers, found.read().decode()
        connection.close()
        assert not how

    def __repr__(self) -> str:
        return f"{self.status} {self.text[:200]}"


def ask(server: Server, method: str, path: str, **how: Any) -> Answer:
    return Answer(server, method, path, **how)


def cookie(value: str | None = None) -> dict[str, str]:
    made = session.new_session(KEY, time.time()) if value is None else value
    return {"Cookie": f"theme=dark; {COOKIE}={made}"}


def own(server: Server) -> dict[str, str]:
    return {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}


# --- a stranger ---------------------------------------------------------------------------------

DOORS = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/version"),
    ("GET", "/static-files/index.html"),
    ("GET", "/static-files/manifest.json"),
    ("GET", "/favicon.ico"),
    READING,
    MOVING,
    AJAX_MOVING,
    ("PATCH", "/api/2.0/mlflow/registered-models/update"),
    ("DELETE", "/api/2.0/mlflow/registered-models/delete"),
    ("DELETE", f"/api/2.0/mlflow/registered-models/alias?name={MODEL}&alias=champion"),
    ("POST", "/api/2.0/mlflow/model-versions/set-tag"),
    ("GET", ARTIFACT),
    ("PUT", ARTIFACT),
    ("DELETE", ARTIFACT),
    ("PUT", ARTIFACT.replace("/api/", "/ajax-api/")),
    ("GET", "/get-artifact?path=detector.json&run_uuid=1"),
    ("GET", f"/model-versions/get-artifact?name={MODEL}&version=1&path=detector.json"),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=1&path=x"),
    ("POST", "/graphql"),
    ("GET", "/graphql"),
    ("POST", "/v1/traces"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
    ("POST", "/ajax-api/3.0/mlflow/jobs"),
    ("GET", "/ajax-api/3.0/mlflow/server-info"),
    ("POST", "/gateway/x/mlflow/invocations"),
    ("OPTIONS", MOVING[1]),
    ("TRACE", "/"),
    ("POST", "/health"),
    ("PUT", "/health"),
]


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_a_stranger_is_turned_away_everywhere(server: Server, method: str, path: str):
    body = ALIAS if "alias" in path else '{"threshold": 1000000000.0}'
    headers = {"Content-Type": "application/json"}

    answer = ask(server, method, path, body=body, headers=headers)

    assert answer.status == 401
    if method != "HEAD":
        assert json.loads(answer.text)["error_code"] == "UNAUTHENTICATED"
    assert "no-store" in answer.headers["Cache-Control"]


TRICKS = [
    "//", "//health", "/health/", "/health/../api/2.0/mlflow/experiments/search",
    "/health/..%2fapi/2.0/mlflow/experiments/search", "/health%2f..%2fversion", "/%68ealth",
    "/health%00", "/health;/../version", "/health.", "/health./version", "/HEALTH", "/Health",
    "/health%20", "/./version", "/login/../version", "/login%2f..%2fversion", "/login//version",
    "/login/", "/LOGIN/version", "/%2e/version", "/%2e%2e/version", "/\\version", "/health\\..",
    "/health?/../version/x/../", "http://127.0.0.1/version", "http://x/health/../version",
    "/.//version", "/logout/../version", "/logout;x=/version", "/health/version",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
def test_no_spelling_of_a_path_leads_past_the_login(server: Server, path: str):
    answer = ask(server, "GET", path)

    # The one that is health with a query after all says so and nothing else.
    assert answer.status in (400, 401) or (answer.status, answer.text) == (200, "OK"), answer


@pytest.mark.parametrize("path", ["/?x=1", "/static-files/index.html", "/get-artifact?path=a/b"])
def test_a_strangers_browser_is_led_to_the_login_and_then_back(server: Server, path: str):
    answer = ask(server, "GET", path, headers=HTML)
    page = ask(server, "GET", answer.headers["Location"])
    signed = ask(server, "POST", answer.headers["Location"], body=RIGHT, headers=FORM | own(server))

    assert answer.status == 303
    assert (page.status, "Sign in" in page.text) == (200, True)
    assert (signed.status, signed.headers["Location"]) == (303, path)


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer wrong",
        "Bearer ",
        "Bearer",
        f"Token {LOGIN[TOKEN]}",
        LOGIN[TOKEN],
        f"Bearer {LOGIN[TOKEN]}x",
        f"Bearer {LOGIN[TOKEN][:-1]}",
        f"Bearer {LOGIN[TOKEN].upper()}",
        f"Bearer {LOGIN[PASSWORD]}",
        "Basic " + base64.b64encode(b"admin:wrong").decode(),
        "Basic " + base64.b64encode(b"nobody:pass:word-of-a-test").decode(),
        "Basic %%%",
        "Basic",
    ],
)
def test_a_wrong_token_opens_nothing(server: Server, shown: str):
    for method, path in (READING, MOVING):
        answer = ask(server, method, path, body=ALIAS, headers={"Authorization": shown})

        assert answer.status == 401


def test_a_right_token_beside_a_wrong_one_opens_nothing(server: Server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("GET", READING[1])
    connection.putheader("Authorization", "Bearer wrong")
    connection.putheader("Authorization", server.bearer["Authorization"])
    connection.endheaders()

    assert connection.getresponse().status == 401
    connection.close()


def test_a_token_in_the_address_is_none(server: Server):
    answer = ask(server, "GET", f"{READING[1]}&access_token={LOGIN[TOKEN]}&token={LOGIN[TOKEN]}")

    assert answer.status == 401


def test_a_websocket_of_a_stranger_is_not_opened(server: Server):
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }

    assert ask(server, "GET", "/ajax-api/x", headers=headers).status in (401, 403)


def test_a_foreign_host_name_is_refused_before_everything_else(server: Server):
    for path in ("/", "/login", READING[1]):
        for shown in ({}, server.bearer, cookie()):
            answer = ask(server, "GET", path, host="evil.example", headers=shown)
            assert answer.status == 403, path
    assert (
        ask(server, "POST", "/login", host="evil.example", body=RIGHT, headers=FORM).status == 403
    )


# --- cookies ------------------------------------------------------------------------------------


def forged() -> dict[str, str]:
    now = time.time()
    good = session.new_session(KEY, now)
    ends, _, signature = good.partition(".")
    other = read_credentials(LOGIN | {TOKEN: "token-of-another-stack"}).key
    return {
        "empty": "",
        "nonsense": "x",
        "no signature": ends,
        "empty signature": f"{ends}.",
        "longer": f"{int(ends) + 1}.{signature}",
        "zero before": f"0{ends}.{signature}",
        "sign": f"+{ends}.{signature}",
        "other digits": ends.replace("1", "\u0661") + f".{signature}",
        "last letter": good[:-1] + ("A" if good[-1] != "A" else "E"),
        "padding": f"{good}=",
        "quoted": f'"{good}"',
        "expired": session.new_session(KEY, now - session.SESSION_S),
        "of another stack": session.new_session(other, now),
        "of an empty key": session.new_session(b"", now),
        "token": LOGIN[TOKEN],
    }


@pytest.mark.parametrize("kind", forged())
def test_a_cookie_that_we_did_not_make_or_that_has_ended_opens_nothing(server: Server, kind: str):
    shown = cookie(forged()[kind].encode().decode("latin-1"))

    for method, path in (READING, MOVING):
        assert ask(server, method, path, body=ALIAS, headers=shown | own(server)).status == 401


def test_a_session_reads_and_may_change_from_its_own_pages(server: Server):
    same = ALIAS.replace('"2"', '"1"')
    headers = cookie() | own(server) | {"Content-Type": "application/json"}

    assert ask(server, *READING, headers=headers).status == 200
    assert ask(server, *AJAX_MOVING, body=same, headers=headers).status == 200
    assert ask(server, *AJAX_MOVING, body=same, headers=server.bearer | FORM).status != 401


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "http://evil.example@127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        },
        {"Referer": "http://127.0.0.1:{port}/"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [MOVING, AJAX_MOVING, ("PUT", ARTIFACT), ("DELETE", ARTIFACT), ("POST", "/graphql")],
)
def test_another_page_changes_nothing_with_the_session_of_this_browser(
    server: Server, method: str, path: str, said: dict[str, str]
):
    headers = {name: value.format(port=server.port) for name, value in said.items()}

    answer = ask(server, method, path, body=ALIAS, headers=cookie() | headers)

    assert answer.status == 403


def test_another_page_reads_nothing_with_it_but_may_link_here(server: Server):
    fetching = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    framing = {
        "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe",
    }  # fmt: skip
    linking = framing | {"Sec-Fetch-Dest": "document"}

    assert ask(server, *READING, headers=cookie() | fetching).status == 403
    assert ask(server, *READING, headers=cookie() | {"Origin": "http://127.0.0.1:1"}).status == 403
    assert ask(server, "GET", "/", headers=cookie() | HTML | framing).status == 403
    assert ask(server, "GET", "/", headers=cookie() | HTML | linking).status == 200


# --- the login page -----------------------------------------------------------------------------

TARGETS = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", "http://evil.example", "https:evil.example", "javascript:alert(1)", "evil",
    " //evil.example", "/ x", "", "/%0d%0aSet-Cookie:x", "/\r\nSet-Cookie: x=y", "/é",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_the_login_leads_to_no_other_server(server: Server, target: str):
    path = f"/login?{urlencode({'to': target})}"

    answer = ask(server, "POST", path, body=RIGHT, headers=FORM | own(server))

    assert answer.status == 303
    assert answer.headers["Location"] in ("/", "/%0d%0aSet-Cookie:x")
    assert len(answer.headers.get_all("Set-Cookie")) == 1


def test_the_cookie_is_hidden_from_scripts_and_other_sites_and_is_secure_behind_tls(server: Server):
    plain = ask(server, "POST", "/login", body=RIGHT, headers=FORM | own(server))
    host = f"127.0.0.1:{server.port}"
    behind = ask(server, "POST", "/login", body=RIGHT, headers=FORM | {"Origin": f"https://{host}"})

    flags = {each.strip() for each in plain.headers["Set-Cookie"].split(";")[1:]}
    assert flags == {"Path=/", "HttpOnly", "SameSite=Lax", f"Max-Age={session.SESSION_S}"}
    assert "Secure" in behind.headers["Set-Cookie"].split("; ")
    value = plain.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    assert ask(server, *READING, headers=cookie(value) | own(server)).status == 200


def test_the_page_loads_nothing_and_can_be_framed_by_nobody(server: Server):
    page = ask(server, "GET", "/login")

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert "http" not in page.text.replace("http-equiv", "")
    assert page.headers["X-Frame-Options"] == "DENY"


def test_another_page_signs_nobody_in_or_out(server: Server):
    foreign = {"Origin": "http://evil.example"}

    assert ask(server, "POST", "/login", body=RIGHT, headers=FORM | foreign).status == 403
    assert ask(server, "POST", "/login", body=RIGHT, headers=FORM).status == 403
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert ask(server, "GET", "/logout", headers=cookie() | image).status == 403


def test_signing_out_takes_the_cookie_away(server: Server):
    answer = ask(server, "GET", "/logout", headers=cookie() | own(server))

    assert answer.headers["Set-Cookie"].startswith(f"{COOKIE}=; ")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert "signed out" in ask(server, "GET", answer.headers["Location"]).text


@pytest.mark.parametrize("user", ["admin", "", '"><script>alert(1)</script>', "ä\u202e"])
def test_a_wrong_login_is_reported_and_shows_its_user_harmlessly(server: Server, user: str):
    body = urlencode({"user": user, "password": "wrong"})

    answer = ask(server, "POST", "/login", body=body, headers=FORM | own(server))

    assert (answer.status, answer.headers["Set-Cookie"]) == (401, None)
    assert 'role="alert"' in answer.text
    assert "<script" not in answer.text
    assert "wrong-password" not in answer.text


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, '{"user": "admin"}', 415),
        (FORM, "user=admin&password=" + "x" * 5000, 413),
        (FORM, "", 401),
        (FORM, "&&&==&%zz=%", 401),
    ],
)
def test_an_invalid_form_is_refused(
    server: Server, headers: dict[str, str], body: str, status: int
):
    assert ask(server, "POST", "/login", body=body, headers=headers | own(server)).status == status
    assert ask(server, "DELETE", "/login", headers=own(server)).status == 405


# --- who has to come in -------------------------------------------------------------------------


def test_health_is_open_and_says_nothing(server: Server):
    assert ask(server, "GET", "/health").text == "OK"


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of a client that nothing but the address is known to."""
    for name in (USER, PASSWORD, TOKEN):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    before = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(before)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("names", [(TOKEN,), (USER, PASSWORD)])
def test_mlflows_own_client_comes_in_by_its_variables(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
):
    for name in names:
        monkeypatch.setenv(name, LOGIN[name])

    with answering(settings.load()):
        found = connect(settings.load()).get_registered_model(MODEL)

    assert found.name == MODEL


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("token", ["", "not-the-token-of-it"])
def test_a_missing_and_a_wrong_token_are_reported_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
):
    monkeypatch.setenv(TOKEN, token)

    with (
        pytest.raises(ConfigError, match="set MLFLOW_TRACKING_TOKEN") as refused,
        answering(settings.load()),
    ):
        pass

    assert not token or token not in str(refused.value)


def test_the_log_holds_no_token_password_or_cookie(server: Server):
    before = len(server.log.read_text())  # another test has shown the token in an address
    made = session.new_session(KEY, time.time())
    for shown in (server.bearer, cookie(made), {"Authorization": "Basic bm90OnJpZ2h0"}):
        ask(server, *READING, headers=shown)
    ask(server, "POST", "/login", body=RIGHT, headers=FORM | own(server))

    log = server.log.read_text()[before:]
    assert "wrong login" in log
    assert [each for each in (LOGIN[TOKEN], LOGIN[PASSWORD], made) if each in log] == []


@pytest.mark.parametrize("missing", [USER, PASSWORD, TOKEN])
def test_without_a_login_nothing_is_served(tmp_path: Path, missing: str):
    environment = server_environment(tmp_path)
    del environment[missing]

    done = subprocess.run(
        server_command(tmp_path, free_ports(1)[0]),
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert missing in done.stderr


# The last one: it uses up what may be guessed in a minute.
def test_guessing_is_slowed_down_and_neither_token_nor_session_suffer(server: Server):
    def guess(password: str) -> Answer:
        body = urlencode({"user": "admin", "password": password})
        return ask(server, "POST", "/login", body=body, headers=FORM | own(server))

    statuses = [guess(f"guess-{n}").status for n in range(GUESSES + 1)]
    right = guess(LOGIN[PASSWORD])
    basic = base64.b64encode(f"{LOGIN[USER]}:{LOGIN[PASSWORD]}".encode()).decode()
    by_basic = ask(server, *READING, headers={"Authorization": f"Basic {basic}"})

    assert statuses[-1] == 429
    assert (right.status, right.headers["Set-Cookie"]) == (429, None)
    assert int(right.headers["Retry-After"]) <= 60
    assert by_basic.status == 429
    assert ask(server, *READING, headers=server.bearer).status == 200
    assert ask(server, *READING, headers=cookie() | own(server)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/ajax-api/3.0/mlflow/assistant/config", {"providers": {}}),
        ("POST", "/ajax-api/3.0/mlflow/assistant/message", {"message": "id", "context": {}}),
        ("POST", "/ajax-api/3.0/jobs/", {"job_name": "x", "params": {}}),
        ("POST", "/ajax-api/3.0/mlflow/gateway/secrets/create", {}),
        ("GET", "/ajax-api/3.0/mlflow/gateway/secrets/list", None),
        ("POST", "/api/2.0/mlflow/webhooks", {"url": "http://127.0.0.1:1/"}),
        ("POST", "/gateway/openai/v1/chat/completions", {}),
        ("GET", "/api/3.0/mlflow/mcp-servers", None),
    ],
)
def test_whoever_is_signed_in_gets_no_shell_and_no_server_that_acts_for_him(
    server: Server, method: str, path: str, body: object
):
    with httpx.Client(headers=server.bearer, timeout=60, trust_env=False) as client:
        answer = client.request(method, f"{server.url}{path}", json=body)

    assert answer.status_code == 404
    assert "switched off" in answer.json()["message"]


def test_the_port_is_the_only_one(server: Server):
    """The check is in the web server's own process: nothing behind it listens."""
    process = psutil.Process(server.pid)
    family = [process, *process.children(recursive=True)]
    ports = {
        found.laddr.port
        for each in family
        for found in each.net_connections("inet")
        if found.status == psutil.CONN_LISTEN and found.family == socket.AF_INET
    }
    assert ports == {server.port}
