"""The exporter: /metrics and /health over HTTP, read from the store at each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from pipeline.errors import OutageError
from pipeline.metrics import postgres
from pipeline.metrics.families import families, gauge

PORT = 9464
_PLAIN = "text/plain; charset=utf-8"

log = structlog.get_logger()


class StoreCollector(Collector):
    """Reads the store at each scrape; it keeps nothing in between."""

    def __init__(self, dsn: str, clock: Callable[[], datetime]) -> None:
        self._dsn, self._clock = dsn, clock

    def collect(self) -> Iterator[Metric]:
        """Every family.

        Raises:
            OutageError: the store does not answer.
        """
        began = time.perf_counter()
        yield from families(postgres.newest(self._dsn), now=self._clock())
        took = time.perf_counter() - began
        yield gauge("scrape_duration_seconds", "What this scrape took.", value=took)


def exporter(dsn: str, host: str, port: int, clock: Callable[[], datetime]) -> ThreadingHTTPServer:
    """A server of /metrics and /health, bound and not yet serving.

    Both answer 503 while the store does not answer, so that Prometheus' `up` is 0: yesterday's
    values would look like a healthy day.

    Raises:
        OSError: the address is in use.
    """
    registry = CollectorRegistry()
    registry.register(StoreCollector(dsn, clock))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                status, kind, body = self._answer()
            except OutageError as error:
                log.warning("metrics_unavailable", reason=str(error))
                message = "The metrics database does not answer; see the exporter's log.\n"
                status, kind, body = HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, message.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Log nothing: one line for each scrape would bury the rest."""

        def _answer(self) -> tuple[HTTPStatus, str, bytes]:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                return HTTPStatus.OK, kind, encode(registry)
            if path == "/health":
                postgres.refuse_silence(dsn)
                return HTTPStatus.OK, _PLAIN, b"ok\n"
            return HTTPStatus.NOT_FOUND, _PLAIN, b"There are /metrics and /health.\n"

    return ThreadingHTTPServer((host, port), Handler)
