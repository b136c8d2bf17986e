"""The exporter over HTTP, on a real PostgreSQL."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.cli import main
from pipeline.metrics.postgres import record
from pipeline.metrics.serving import exporter
from tests.metrics.made import NOON, every_topic

NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"


@contextmanager
def serving(dsn: str) -> Iterator[str]:
    server = exporter(dsn, "127.0.0.1", 0, lambda: NOON)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.integration
def test_metrics_are_read_at_each_scrape(database):
    with serving(database) as url:
        before = ask(f"{url}/metrics")
        record(database, every_topic())
        after = ask(f"{url}/metrics")

    assert before[0] == after[0] == 200
    assert "plimsoll_detectors 0.0" in before[1]
    assert 'plimsoll_threshold{detector="pumps"} 4.0' in after[1]
    assert "plimsoll_scrape_duration_seconds 0." in after[1]


@pytest.mark.integration
def test_health_is_a_query_that_works(database):
    with serving(database) as url:
        assert ask(f"{url}/health") == (200, "ok\n")


@pytest.mark.parametrize("path", ["metrics", "health"])
def test_without_its_store_the_exporter_is_down(path):
    with serving(NOWHERE) as url:
        status, body = ask(f"{url}/{path}")

    assert status == 503
    assert "nobody" not in body  # the reason goes to the log: it may name hosts and roles


def test_another_path_gets_the_list_of_paths():
    with serving(NOWHERE) as url:
        assert ask(f"{url}/")[0] == 404


def test_the_command_says_which_variable_is_missing(monkeypatch, capsys):
    monkeypatch.delenv("PLIMSOLL_DATABASE", raising=False)

    assert main(["metrics"]) == 2
    assert "PLIMSOLL_DATABASE is not set" in capsys.readouterr().err
