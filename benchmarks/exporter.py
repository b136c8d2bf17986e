"""The cost of a scrape: 100 detectors x 365 days of readings in a real PostgreSQL.

`make bench-exporter`. The exporter runs as in production, a process of its own that reads as the
role plimsoll_reader, and is asked over HTTP. Required: a scrape under 1 s.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil
import psycopg2

from pipeline.metrics import postgres
from pipeline.metrics.readings import (
    Content,
    DriftReading,
    FitReading,
    IngestedReading,
    LedgerReading,
    LiveReading,
    OpenItemsReading,
    Reading,
    ScoredReading,
    SeriesDrift,
    Topic,
)
from tests.postgres_server import execute, fresh_database, running_postgres

DETECTORS, DAYS, SCRAPES = 100, 365, 20
OUT = Path(".plimsoll/benchmarks/exporter.json")
TODAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
DAGS = ("ingest", "load", "score", "train", "recalibrate", "label", "housekeeping")
RULES = ("out_of_range", "stuck_sensor", "duplicate", "missing_value")

CONTENTS: dict[Topic, Content] = {
    "ingested": IngestedReading(1440, dict.fromkeys(RULES, 3), 0.98),
    "scored": ScoredReading(
        1440, 14, {"0.5": 1.0, "0.9": 2.0, "0.95": 3.0, "0.99": 4.0}, 1.1, 0.4, 3.9, 3.5, 4.4, 0.01
    ),
    "drifted": DriftReading(
        tuple(
            SeriesDrift(name, 0.1, 0.4)
            for name in ("score", *(f"channel_{n:02}" for n in range(20)))
        ),
        0.8,
    ),
    "trained": FitReading(12.5),
    "live": LiveReading(3, NOW, NOW, NOW),
    "trust": LedgerReading(faults=0),
    "standing": OpenItemsReading(incidents=2, labels=5, muted=1, unsettled=0, last=None),
}


def readings_of(detector: str) -> list[Reading]:
    """Every topic on every day: the maximum."""
    return [
        Reading(detector, topic, TODAY - timedelta(days=n), NOW, content)
        for topic, content in CONTENTS.items()
        for n in range(DAYS)
    ]


@contextlib.contextmanager
def exporter(dsn: str) -> Iterator[tuple[str, psutil.Process]]:
    """The command as the metrics service runs it; its address and its process."""
    command = [sys.executable, "-m", "pipeline", "metrics", "--port", "0"]
    environment = {**os.environ, "PLIMSOLL_DATABASE": dsn}  # noqa: TID251 - the child's
    child = subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        output = child.stdout.readline() if child.stdout else ""
        found = re.search(r"http://\S+", output)
        if found is None:
            msg = f"The exporter did not start: {output!r}"
            raise SystemExit(msg)
        yield found[0], psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(timeout=10)


def scrape(url: str) -> tuple[float, str]:
    """Seconds of one scrape, and its content."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.perf_counter()
    with opener.open(url, timeout=30) as answer:
        text = answer.read().decode()
    return time.perf_counter() - began, text


def size_of(dsn: str) -> int:
    """Bytes of a database on disk."""
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        [(found,)] = cursor.fetchall()
    return int(found)


def main() -> None:
    """Fill the store, scrape it, print and write the figures."""
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder)) as server:
        dsn = fresh_database(server)
        execute(server, "CREATE ROLE plimsoll_reader LOGIN PASSWORD 'r'")
        began = time.perf_counter()
        for number in range(DETECTORS):
            name = f"detector_{number:03}"
            postgres.record(dsn, readings_of(name))
            for dag in DAGS:
                postgres.spend(dsn, name, dag, 1.5)
        filled_s = time.perf_counter() - began
        began = time.perf_counter()
        postgres.record(dsn, [each for each in readings_of("detector_000") if each.day == TODAY])
        record_s = time.perf_counter() - began
        reader = dsn.replace("plimsoll:plimsoll-test@", "plimsoll_reader:r@")
        with exporter(reader) as (url, process):
            first_s, text = scrape(url)
            took = sorted(scrape(url)[0] for _ in range(SCRAPES))
            memory_mib = process.memory_info().rss / 2**20
        database_mib = size_of(dsn) / 2**20
    figures = {
        "readings": DETECTORS * DAYS * len(CONTENTS),
        "filled_s": filled_s,
        "record_one_day_s": record_s,
        "first_scrape_s": first_s,
        "scrape_median_s": median(took),
        "scrape_worst_s": took[-1],
        "series": sum(not line.startswith("#") for line in text.splitlines()),
        "bytes": len(text),
        "memory_mib": memory_mib,
        "database_mib": database_mib,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:<18} {value:,.3f}" if isinstance(value, float) else f"{name:<18} {value:,}")
    print(f"asked: a scrape under 1 s: {'reached' if took[-1] < 1 else 'MISSED'}")


if __name__ == "__main__":
    main()
