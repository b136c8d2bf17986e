"""Every panel asks the real services: PostgreSQL, the exporter, SeaweedFS, Prometheus.

Airflow's panels are only parsed: it pushes by OTLP, which Debian's Prometheus 2.42 cannot receive.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import psycopg2
import pytest
from _pytest.mark import ParameterSet

from deploy.grafana.__main__ import DASHBOARDS
from deploy.grafana.panels import Source
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
from pipeline.metrics.serving import exporter
from tests.deploy.monitoring.expressions import names_in, rules
from tests.deploy.monitoring.native_prometheus import Prometheus, running
from tests.postgres_server import execute, fresh_database
from tests.s3_server import BUCKET, KEY, SECRET

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
YESTERDAY = (NOW - timedelta(days=1)).date()
LONG_AGO = NOW - timedelta(days=20)
# One detector with bad rows and a bounded line, one without either.
DETECTORS = {"press": ({"stuck_sensor": 6}, 5.0), "pumps": ({}, None)}

MAKE_READER = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{postgres.READER}') THEN
    CREATE ROLE {postgres.READER};
  END IF;
END $$
"""


def panels(source: Source) -> list[ParameterSet]:
    return [
        pytest.param(panel, detector, id=f"{dashboard.title}: {panel.title} of {detector}")
        for dashboard in DASHBOARDS
        for section in dashboard.sections
        for panel in section.panels
        if panel.source == source
        for detector in (DETECTORS if dashboard.by_detector else ("all",))
    ]


def recorded(detector: str) -> list[Reading]:
    rejected, high = DETECTORS[detector]
    quantiles = {"0.5": 1.0, "0.9": 2.0, "0.95": 3.0, "0.99": 3.9}
    contents: dict[Topic, Content] = {
        "ingested": IngestedReading(90, rejected, 0.98),
        "scored": ScoredReading(100, 1, quantiles, 1.2, 0.4, 4.0, 3.5, high, 0.01),
        "drifted": DriftReading(
            (SeriesDrift("score", 0.05, 0.5), SeriesDrift("flow", 0.1, 0.4)), 0.7, growth=0.2
        ),
        "trained": FitReading(12.5),
        "live": LiveReading(3, LONG_AGO, LONG_AGO, LONG_AGO),
        "trust": LedgerReading(faults=0),
        "standing": OpenItemsReading(
            incidents=2, labels=5, muted=0, unsettled=0, last=None, broken=0.0
        ),
    }
    today = NOW.date()
    return [
        Reading(detector, topic, today if topic == "standing" else YESTERDAY, NOW, each)
        for topic, each in contents.items()
    ]


def answered(dsn: str, sql: str) -> tuple[list[str], list[tuple[datetime, float]]]:
    """Names of the columns, and the rows."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return [column.name for column in cursor.description], cursor.fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def reader(postgres_dsn) -> str:
    """URL of a database with readings, for the role that may only read them."""
    dsn = fresh_database(postgres_dsn)
    execute(dsn, MAKE_READER)
    for detector in DETECTORS:
        postgres.record(dsn, recorded(detector))
        postgres.spend(dsn, detector, "train", 12.5)
    return f"{dsn}?options=-c%20role%3D{postgres.READER}"


@pytest.fixture(scope="module")
def exporter_address(reader) -> Iterator[str]:
    server = exporter(reader, "127.0.0.1", 0, lambda: NOW)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def storage_address(s3_server, s3_metrics) -> str:
    """SeaweedFS after some use."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    client.put_object(Bucket=BUCKET, Key="monitoring", Body=b"rows")
    client.get_object(Bucket=BUCKET, Key="monitoring")["Body"].read()
    return s3_metrics


@pytest.fixture(scope="module")
def prometheus(
    prometheus_program, exporter_address, storage_address, tmp_path_factory
) -> Iterator[Prometheus]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        own = f"127.0.0.1:{probe.getsockname()[1]}"
    targets = {"metrics:9464": exporter_address, "seaweedfs:9327": storage_address}
    folder = tmp_path_factory.mktemp("prometheus")
    with running(prometheus_program, folder, own, targets) as server:
        # A rate needs two samples, a recording rule one evaluation after the first of them.
        server.await_series("count_over_time(SeaweedFS_s3_request_total[1m]) > 1")
        server.await_series("count_over_time(plimsoll_cpu_seconds_total[1m]) > 1")
        server.await_series("count_over_time(prometheus_tsdb_head_series[1m]) > 1")
        server.await_series("detector:plimsoll_quarantined:ratio")
        yield server


@pytest.mark.parametrize(("panel", "detector"), panels("plimsoll"))
def test_every_query_of_a_panel_by_day_has_data(reader, panel, detector):
    shown = {
        "${detector:sqlstring}": f"'{detector}'",
        # What Grafana makes of it, down to the quotes.
        "$__timeFilter(day)": f"day BETWEEN '{LONG_AGO:%Y-%m-%dT%H:%M:%SZ}' AND "
        f"'{NOW:%Y-%m-%dT%H:%M:%SZ}'",
    }
    for query in panel.queries:
        sql = query.expr
        for placeholder, value in shown.items():
            sql = sql.replace(placeholder, value)

        columns, lines = answered(reader, sql)

        assert columns == ["time", query.legend]
        assert [moment.date() for moment, _ in lines] == [YESTERDAY]
        assert all(value is not None for _, value in lines)


@pytest.mark.parametrize(("panel", "detector"), panels("prometheus"))
def test_every_query_of_a_panel_has_data(prometheus, panel, detector):
    for query in panel.queries:
        found = prometheus.ask(query.expr.replace("$detector", detector))

        pushed = any(name.startswith("airflow_") for name in names_in(query.expr))
        assert found or pushed, query.expr
        assert all(sample["value"][1] != "NaN" for sample in found), query.expr


def test_the_choice_of_detectors_shows_all_of_them(prometheus):
    found = prometheus.ask("group by (detector) (plimsoll_bundle_version)")

    assert {sample["metric"]["detector"] for sample in found} == set(DETECTORS)


@pytest.mark.parametrize("rule", rules(), ids=lambda it: it["alert"])
def test_every_metric_of_a_rule_exists(prometheus, rule):
    asked = {name for name in names_in(rule["expr"]) if not name.startswith("airflow_")}

    assert {name for name in asked if not prometheus.ask(name)} == set()


def test_no_detector_alerts_where_all_is_well(prometheus):
    assert prometheus.ask('ALERTS{detector!=""}') == []
    assert prometheus.ask('ALERTS{alertname=~"PlimsollTarget.*"}') == []
