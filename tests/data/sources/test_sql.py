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
from pipeline.data.sources.shaping import TIME_FAULT
from pipeline.data.sources.sql import fetch
from pipeline.errors import ConfigError, DataError, OutageError, PlimsollError
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
@pytest.mark.parametrize(
    ("query", "error", "told"),
    [
        (QUERY.replace("rows", "rowz"), DataError, "no such table: rowz"),
        (QUERY.replace("SELECT *", "SELECT humidity"), DataError, "no such column: humidity"),
        (QUERY.replace("SELECT", "SELEKT"), DataError, "syntax error"),
        (QUERY + " AND flow > :low", ConfigError, "parameter :low; only :start and :end are bound"),
        (QUERY.replace("*", "*, 1 AS flow"), DataError, "has the column flow 2 times"),
        (QUERY.replace("SELECT *", "DELETE"), DataError, "returns no rows: it is no SELECT"),
    ],
)
def test_what_is_wrong_with_a_query_is_told_and_is_no_outage(query, error, told):
    with pytest.raises(error, match=told):
        read(query)


def test_a_database_that_is_locked_is_an_outage(plant, monkeypatch):
    monkeypatch.setenv("PLANT_URL", f"{plant.url}?timeout=0")
    with plant.connect() as other:
        other.execute(sqlalchemy.text("PRAGMA locking_mode = EXCLUSIVE"))
        other.execute(sqlalchemy.text("BEGIN EXCLUSIVE"))

        with pytest.raises(OutageError, match="locked"):
            read()


def test_a_whole_number_is_a_machine_beside_a_null(plant):
    with plant.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE rows SET pump = 7"))
        connection.execute(sqlalchemy.text("UPDATE rows SET pump = NULL WHERE flow < 22"))
    query = QUERY.replace("*", "timestamp, CAST(pump AS INTEGER) AS pump, flow, pressure, angle")

    found = read(query)["pump"]

    assert 0 < found.isna().sum() < len(found)
    assert set(found.dropna()) == {"7"}


def test_a_row_without_a_readable_time_is_kept_and_marked(plant):
    with plant.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE rows SET timestamp = '2024-01-01 noon' WHERE rowid = 30")
        )

    frame = read()

    assert len(frame) == 72
    assert "'2024-01-01 noon' is no time" in frame[TIME_FAULT].dropna().item()


def test_an_unset_url_is_named_with_an_example(monkeypatch):
    monkeypatch.delenv("PLANT_URL", raising=False)

    with pytest.raises(ConfigError, match="PLANT_URL, which is not set; set it to an SQLAlchemy"):
        read()


def test_a_wrong_url_is_refused_without_showing_its_password(monkeypatch):
    monkeypatch.setenv("PLANT_URL", "nodb+nodriver://user:geheim@host/plant")

    with pytest.raises(ConfigError, match="PLANT_URL holds no URL") as caught:
        read()

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg2://user:ge@heim@host@x/plant",
        "postgresql+psycopg2://user:geheim@host:port/plant",
        "postgresql+psycopg2://user:geheim/plant",
        "user:geheim@host",
        "sqlite:///x.db?timeout=geheim",
    ],
)
def test_no_part_of_a_malformed_url_is_told(monkeypatch, url):
    monkeypatch.setenv("PLANT_URL", url)

    with pytest.raises(PlimsollError, match="PLANT_URL") as caught:
        read()

    assert "heim" not in str(caught.value)
    assert "heim" not in repr(caught.value.__cause__)


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
