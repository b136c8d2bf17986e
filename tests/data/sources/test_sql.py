from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy

from pipeline.config import SqlSource
from pipeline.data.sources.sql import fetch
from pipeline.errors import ConfigError, OutageError
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
