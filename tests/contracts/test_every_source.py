"""Properties of every source. A new kind needs one entry in CASES."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
import sqlalchemy

from pipeline.config import Columns, CsvSource, ParquetSource, SourceSpec, SqlSource
from pipeline.config.source import LaHauteBorneSource
from pipeline.data.sources import SOURCES
from pipeline.data.sources.shaping import declared
from pipeline.errors import OutageError, PlimsollError
from tests.builders import FIRST_DAY, make_frame, make_spec, moment
from tests.data.sources.made_wheel import TURBINES, put_made_wheel

ABSENT = moment(FIRST_DAY) - timedelta(days=1000)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Case:
    """Three days of rows that begin at FIRST_DAY, in one kind of source."""

    config: Any
    columns: Columns
    cache: Path
    rows_a_day: int

    def fetch(self, start, end) -> pd.DataFrame:
        return SOURCES[self.config.kind](self.config, self.columns, start, end, self.cache)


def csv_case(folder: Path, _: pytest.MonkeyPatch) -> Case:
    make_frame(3).sample(frac=1, random_state=0).to_csv(folder / "all.csv", index=False)
    config = CsvSource(kind="csv", path=str(folder / "all.csv"))
    return Case(config, make_spec().columns, folder, 72)


def parquet_case(folder: Path, _: pytest.MonkeyPatch) -> Case:
    make_frame(3).sample(frac=1, random_state=0).to_parquet(folder / "all.parquet")
    config = ParquetSource(kind="parquet", path=str(folder / "all.parquet"))
    return Case(config, make_spec().columns, folder, 72)


def sql_case(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    url = f"sqlite:///{folder / 'plant.db'}"
    monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", url)
    frame = make_frame(3).sample(frac=1, random_state=0)
    engine = sqlalchemy.create_engine(url)
    frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None)).to_sql("rows", engine)
    engine.dispose()
    query = "SELECT * FROM rows WHERE timestamp >= :start AND timestamp < :end"
    config = SqlSource(kind="sql", url_env="PLIMSOLL_SOURCE_PLANT", query=query)
    return Case(config, make_spec().columns, folder, 72)


def la_haute_borne_case(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    put_made_wheel(folder, monkeypatch, first_day=FIRST_DAY, n_days=3)
    columns = Columns.model_validate(
        {
            "entity": "turbine",
            "cadence": "10min",
            "features": {"power": {"unit": "kW"}, "wind_speed": {"unit": "m/s"}},
            "evaluation_only": ["eval_incident"],
        }
    )
    return Case(LaHauteBorneSource(kind="la_haute_borne"), columns, folder, 144 * len(TURBINES))


CASES: dict[str, Callable[[Path, pytest.MonkeyPatch], Case]] = {
    "csv": csv_case,
    "parquet": parquet_case,
    "sql": sql_case,
    "la_haute_borne": la_haute_borne_case,
}


@pytest.fixture(params=sorted(SOURCES))
def case(request, tmp_path, monkeypatch) -> Case:
    return CASES[request.param](tmp_path, monkeypatch)


def test_the_config_and_the_sources_know_the_same_kinds():
    kinds = [
        get_args(model.model_fields["kind"].annotation)[0]
        for model in get_args(get_args(SourceSpec)[0])
    ]

    assert sorted(kinds) == sorted(SOURCES)


def test_it_delivers_the_interval_and_nothing_else(case):
    start = moment(FIRST_DAY) + DAY

    frame = case.fetch(start, start + DAY)

    assert len(frame) == case.rows_a_day
    assert (frame["timestamp"] >= start).all()
    assert (frame["timestamp"] < start + DAY).all()


def test_neighbouring_intervals_join_without_gap_or_overlap(case):
    start, middle, end = (moment(FIRST_DAY) + n * DAY / 2 for n in (0, 3, 6))

    parts = pd.concat([case.fetch(start, middle), case.fetch(middle, end)], ignore_index=True)

    pd.testing.assert_frame_equal(parts, case.fetch(start, end))


def test_it_delivers_the_declared_columns_in_utc_and_in_time_order(case):
    frame = case.fetch(moment(FIRST_DAY), moment(FIRST_DAY) + DAY)

    assert list(frame) == list(declared(case.columns))
    assert str(frame["timestamp"].dtype) == "datetime64[ns, UTC]"
    assert frame["timestamp"].is_monotonic_increasing
    assert all(isinstance(name, str) for name in frame[case.columns.entity])
    assert all(pd.api.types.is_float_dtype(frame[name]) for name in case.columns.features)


def test_the_same_interval_holds_the_same_rows_each_time(case):
    start = moment(FIRST_DAY)

    first, second = case.fetch(start, start + DAY), case.fetch(start, start + DAY)

    pd.testing.assert_frame_equal(first, second)


def test_an_interval_without_rows_is_an_empty_frame_of_the_same_columns(case):
    frame = case.fetch(ABSENT, ABSENT + DAY)

    assert frame.empty
    assert list(frame) == list(declared(case.columns))
    assert str(frame["timestamp"].dtype) == "datetime64[ns, UTC]"


def test_a_missing_source_is_named_with_the_fix(case, tmp_path, monkeypatch):
    nowhere = tmp_path / "nowhere"
    if "path" in type(case.config).model_fields:
        config = case.config.model_copy(update={"path": str(nowhere / "x.csv")})
        message = r"x\.csv.*correct the path, or wait"
    elif case.config.kind == "sql":
        monkeypatch.setenv("PLIMSOLL_SOURCE_PLANT", f"sqlite:///{nowhere}/plant.db")
        config, message = case.config, "PLIMSOLL_SOURCE_PLANT did not answer.*check that it runs"
    else:
        nowhere.mkdir()
        monkeypatch.setattr("pipeline.data.sources.openoa_wheel.REQUIREMENT", "no/such package")
        config, message = case.config, "could not be downloaded.*pip download"
    lost = Case(config, case.columns, nowhere, 0)

    with pytest.raises(PlimsollError, match=message) as caught:
        lost.fetch(moment(FIRST_DAY), moment(FIRST_DAY) + DAY)

    assert isinstance(caught.value, OutageError)
