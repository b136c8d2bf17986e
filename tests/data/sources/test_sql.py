from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy

from pipeline.config import SqlSource
from pipeline.data.sources.shaping import TIME_FAULT
from pipeline.data.sources.sql import fetch
from pipeline.errors import ConfigError, DataError, OutageError, PlimsollError
from tests.builders import FIRST_DAY, make_frame, make_spec, moment
from tests.postgres_server import execute, running_postgres

COLUMNS = make_spec().columns
QUERY = "SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end"


def read(query=QUERY, **more):
    config = SqlSource(kind="sql", url_env="PLIMSOLL_SOURCE_PLANT", query=query, **more)
    start = moment(FIRST_DAY)
    return fetch(config, COLUMNS, start, start + timedelta(days=1), Path("unused"))


@pytest.fixture
def plant(tmp_path, monkeypatch) -> sqlalchemy.Engine:
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", f"sqlite:///{tmp_path / 'plant.db'}")
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
    ("query", "error", "message"),
    [
        (QUERY.replace("rows", "rowz"), DataError, "no such table: rowz"),
        (QUERY.replace("SELECT *", "SELECT humidity"), DataError, "no such column: humidity"),
        (QUERY.replace("SELECT", "SELEKT"), ConfigError, "begins with SELEKT; a source only"),
        (QUERY + " AND flow > :low", ConfigError, "parameter :low; only :start and :end are bound"),
        (QUERY.replace("*", "*, 1 AS flow"), DataError, "has the column flow 2 times"),
        (QUERY.replace("SELECT *", "SELECT * *"), DataError, "syntax error"),
        (QUERY.replace("SELECT *", "DELETE"), ConfigError, "begins with DELETE; a source only"),
    ],
)
def test_what_is_wrong_with_a_query_is_reported_and_is_no_outage(query, error, message):
    with pytest.raises(error, match=message):
        read(query)


def test_a_database_that_is_locked_is_an_outage(plant, monkeypatch):
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", f"{plant.url}?timeout=0")
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
    monkeypatch.delenv("PLIMSOLL_SOURCE_PLANT", raising=False)

    with pytest.raises(
        ConfigError, match="SOURCE_PLANT, which is not set; set it to an SQLAlchemy"
    ):
        read()


def test_a_wrong_url_is_refused_without_showing_its_password(monkeypatch):
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", "nodb+nodriver://user:geheim@host/plant")

    with pytest.raises(ConfigError, match="PLIMSOLL_SOURCE_PLANT holds no URL") as caught:
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
def test_no_part_of_a_malformed_url_is_shown(monkeypatch, url):
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", url)

    with pytest.raises(PlimsollError, match="PLIMSOLL_SOURCE_PLANT") as caught:
        read()

    assert "heim" not in str(caught.value)
    assert "heim" not in repr(caught.value.__cause__)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """A real PostgreSQL: the URL of its superuser, without a database."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url.rpartition("/")[0]


@pytest.fixture(scope="module")
def postgres_url(server) -> str:
    """The pump farm's rows, in a column with and one without a zone, for a role that reads."""
    execute(f"{server}/postgres", "CREATE DATABASE plant", "CREATE ROLE reader LOGIN PASSWORD 'r'")
    engine = sqlalchemy.create_engine(f"{server}/plant")
    frame = make_frame(3)
    frame["local"] = frame["timestamp"].dt.tz_convert("Asia/Tokyo").dt.tz_localize(None)
    frame.to_sql("rows", engine)
    engine.dispose()
    execute(f"{server}/plant", "GRANT SELECT ON rows TO reader")
    return f"postgresql+psycopg2://reader:r@{server.rpartition('@')[2]}/plant"


@pytest.mark.integration
@pytest.mark.parametrize("column", ["timestamp", "local"])
def test_postgresql_reads_the_same_day_with_and_without_zone(postgres_url, monkeypatch, column):
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", postgres_url)
    query = (
        f"SELECT {column} AS timestamp, pump, flow, pressure, angle, eval_incident "  # noqa: S608 - a test's own name
        f"FROM rows WHERE {column} >= :start AND {column} < :end"
    )

    frame = read(query, timezone="Asia/Tokyo")

    assert len(frame) == 72
    assert frame["timestamp"].min() == moment(FIRST_DAY)


@pytest.mark.integration
def test_a_query_that_the_database_refuses_is_reported_with_the_fix(postgres_url, monkeypatch):
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", postgres_url)

    with pytest.raises(DataError, match=r'refused source\.query .*"rowz" does not exist'):
        read(QUERY.replace("rows", "rowz"))
