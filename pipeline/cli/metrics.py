"""`metrics`: serve every detector's newest readings to Prometheus."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime

from pipeline import settings
from pipeline.errors import ConfigError

HELP = "Serve the metrics of all detectors to Prometheus, from the store at PLIMSOLL_DATABASE."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `metrics`."""
    from pipeline.metrics.serving import PORT

    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        ConfigError: no store is set.
    """
    from pipeline.metrics.serving import exporter

    dsn = settings.load().database
    if dsn is None:
        msg = (
            "PLIMSOLL_DATABASE is not set, so there are no metrics to serve. Set it to the "
            "Postgres URL that the tasks have, or to the one of the role plimsoll_reader."
        )
        raise ConfigError(msg)
    server = exporter(dsn, arguments.host, arguments.port, lambda: datetime.now(UTC))
    # As the first process of a container nothing else would end it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"Metrics on http://{arguments.host}:{server.server_port}/metrics", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0
