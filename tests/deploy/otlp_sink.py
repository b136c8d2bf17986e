"""A receiver of OTLP over HTTP, as Prometheus 3 is one, that keeps what it gets."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)


@dataclass
class Sink:
    """What has arrived.

    Attributes:
        url: where OTLP's own path begins.
        kinds: of each metric by name: `gauge`, `sum`, `exponential_histogram`.
        attributes: of each metric by name, the names of its labels.
        resource: what the sender says about itself.
        paths: the paths that were posted to.
    """

    url: str
    kinds: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    def take(self, path: str, body: bytes) -> None:
        self.paths.add(path)
        request = ExportMetricsServiceRequest.FromString(body)
        for about in request.resource_metrics:
            for each in about.resource.attributes:
                self.resource[each.key] = each.value.string_value
            for metric in (m for scope in about.scope_metrics for m in scope.metrics):
                kind = metric.WhichOneof("data")
                self.kinds[metric.name] = kind
                points = getattr(metric, kind).data_points
                labels = {label.key for point in points for label in point.attributes}
                self.attributes.setdefault(metric.name, set()).update(labels)


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink on a free loopback port."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            found.take(self.path, gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        found = Sink(f"http://127.0.0.1:{server.server_port}/api/v1/otlp")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()
