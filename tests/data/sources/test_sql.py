import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy

from deploy.embedded import postgres
from deploy.embedded.layout import create_folders, find_layout
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack, new_secrets
from pipeline.config import SqlSource
from pipeline.data.sources.sql import fetch
from pipeline.errors import ConfigError, DataError, OutageError
from tests.builders import FIRST_DAY, make_frame, make_spec, moment

COLUMNS = make_spec().columns
QUERY = "SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end"


def read(query=QUERY, **more):
    config = SqlSource(kind="sql", url_env="PLANT_URL", query=query, **more)
    start = moment(FIRST_DAY)
    return fetch(config, COLUMNS, start, start + timedelta(days=1), Path("unused"))


@pytest.fixture
def plant(tmp_path, monkeypatch) -> sqlalchemy.Engine:
    monkeypatch.setenv("PLANT_URL", f"sqlite:///{tmp_path / 'plant.db'}")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'plant.db'}")
    frame = make_frame(3)
    frame["timestamp"] = frame["timestamp"].dt.tz_localize(None)
    frame.to_sql("rows", engine)
    yield engine
    engine.dispose()


@pytest.mark.usefixtures("plant")
def test_the_bounds_are_local_times_of_the_declared_zone():
    frame = read(timezone="Asia/Tokyo")

    assert len(frame) == 72
    assert frame["timestamp"].min() == moment(FIRST_DAY)


@pytest.mark.usefixtures("plant")
def test_what_the_database_says_is_told():
    with pytest.raises(OutageError, match="no such table: rowz"):
        read(QUERY.replace("rows", "rowz"))


def test_an_unset_url_is_named_with_an_example(monkeypatch):
    monkeypatch.delenv("PLANT_URL", raising=False)

    with pytest.raises(ConfigError, match="PLANT_URL, which is not set; set it to an SQLAlchemy"):
        read()


def test_a_wrong_url_is_refused_without_showing_its_password(monkeypatch):
    monkeypatch.setenv("PLANT_URL", "nodb+nodriver://user:geheim@host/plant")

    with pytest.raises(ConfigError, match="PLANT_URL holds no URL") as caught:
        read()

    assert "geheim" not in str(caught.value)


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory) -> Iterator[str]:
    """A real PostgreSQL with the pump farm's rows, in a column with and one without a zone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    layout = find_layout({"PLIMSOLL_HOME": str(tmp_path_factory.mktemp("postgres"))})
    create_folders(layout)
    stack = Stack(layout, Ports(airflow=1, mlflow=2, postgres=port), new_secrets())
    postgres.initialise_cluster(stack)
    server = subprocess.Popen(postgres.server_command(stack), stderr=subprocess.DEVNULL)
    try:
        while postgres.server_unready(stack) is not None:
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
        postgres.create_databases(stack)
        url = stack.dsn("plimsoll").replace("postgresql://", "postgresql+psycopg2://")
        engine = sqlalchemy.create_engine(url)
        frame = make_frame(3)
        frame["local"] = frame["timestamp"].dt.tz_convert("Asia/Tokyo").dt.tz_localize(None)
        frame.to_sql("rows", engine)
        engine.dispose()
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown
        server.wait(30)


@pytest.mark.integration
@pytest.mark.parametrize("column", ["timestamp", "local"])
def test_postgresql_reads_the_same_day_with_and_without_zone(postgres_url, monkeypatch, column):
    monkeypatch.setenv("PLANT_URL", postgres_url)
    query = (
        f"SELECT {column} AS timestamp, pump, flow, pressure, angle, eval_incident "  # noqa: S608 - a test's own name
        f"FROM rows WHERE {column} >= :start AND {column} < :end"
    )

    frame = read(query, timezone="Asia/Tokyo")

    assert len(frame) == 72
    assert frame["timestamp"].min() == moment(FIRST_DAY)


@pytest.mark.integration
def test_a_query_that_the_database_refuses_is_told_with_the_mend(postgres_url, monkeypatch):
    monkeypatch.setenv("PLANT_URL", postgres_url)

    with pytest.raises(DataError, match=r'refused source\.query .*"rowz" does not exist'):
        read(QUERY.replace("rows", "rowz"))
