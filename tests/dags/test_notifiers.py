"""Every channel against a real server on loopback; only Slack's own service is played by one."""

import json
import socket
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from aiosmtpd.controller import Controller
from structlog.testing import capture_logs

from dags.notifiers import notifier_for
from pipeline.config import Notify

MESSAGE = {
    "incident": "a-R80711-20140501T0310",
    "subject": "wind: R80711 is anomalous, first of all power",
    "text": "Peak: 7.1 x the threshold.\nTo blame: power {{ not_a_template }}.",
}


@pytest.fixture
def posted():
    """The requests posted to a web server, and its port."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield seen, server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_log_needs_no_connection():
    with capture_logs() as logged:
        notifier_for(Notify(), MESSAGE).notify({})

    assert logged == [
        {"event": MESSAGE["subject"], "text": MESSAGE["text"], "log_level": "warning"}
    ]


def test_a_webhook_gets_the_whole_message_as_json(posted, monkeypatch):
    seen, port = posted
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", f"http://127.0.0.1:{port}")
    settings = Notify(channel="webhook", connection="hook")

    notifier_for(settings, MESSAGE).notify({})

    assert [body for _, body in seen] == [MESSAGE]


@pytest.fixture
def slack(posted, monkeypatch):
    """The requests to Slack, through the connection `team`."""
    seen, port = posted
    connection = {
        "conn_type": "slackwebhook",
        "schema": "http",
        "host": f"http://127.0.0.1:{port}/services",
        "password": "T1/B1/secret",
    }
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps(connection))
    return seen


def test_slack_gets_subject_and_text(slack):
    settings = Notify(channel="slack", connection="team")

    notifier_for(settings, MESSAGE).notify({})

    ((path, body),) = slack
    assert path == "/services/T1/B1/secret"
    assert body["text"] == f"*{MESSAGE['subject']}*\n{MESSAGE['text']}"


def test_slack_shows_a_name_and_rings_nobody(slack):
    odd = {**MESSAGE, "subject": "<!channel> & <http://evil|x>", "text": "<@U123> is to blame"}

    notifier_for(Notify(channel="slack", connection="team"), odd).notify({})

    ((_, body),) = slack
    assert body["text"] == (
        "*&lt;!channel&gt; &amp; &lt;http://evil|x&gt;*\n&lt;@U123&gt; is to blame"
    )
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


def test_a_mail_reaches_everyone_named(monkeypatch):
    received = []

    class Inbox:
        async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
            received.append(envelope)
            return "250 OK"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(Inbox(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": port,
            "extra": {
                "from_email": "plimsoll@example.org",
                "disable_ssl": True,
                "disable_tls": True,
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(connection))
        to = ("ann@example.org", "bob@example.org")
        settings = Notify(channel="smtp", connection="mail", to=to)

        notifier_for(settings, MESSAGE).notify({})
    finally:
        controller.stop()

    (envelope,) = received
    mail = message_from_bytes(envelope.content)
    assert set(envelope.rcpt_tos) == set(to)
    assert mail["Subject"] == MESSAGE["subject"]
    (body,) = [part for part in mail.walk() if part.get_content_type() == "text/html"]
    assert "7.1 x the threshold" in body.get_payload(decode=True).decode()
