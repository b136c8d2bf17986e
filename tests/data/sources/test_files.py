"""Sources `csv` and `parquet`: which files they find, and what they say when one is wrong."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.dataset
import pytest

from pipeline.config import CsvSource, ParquetSource
from pipeline.data.sources import SOURCES, parquet_files
from pipeline.errors import DataError, OutageError
from pipeline.staging import filesystem_at
from tests.builders import FIRST_DAY, days, make_frame, make_spec, moment

COLUMNS = make_spec().columns
FOUR_DAYS = days(4)


@pytest.fixture(params=["csv", "parquet"])
def kind(request) -> str:
    return request.param


def put(frame: pd.DataFrame, uri: str) -> None:
    filesystem, path = filesystem_at(uri)
    filesystem.create_dir(path.rpartition("/")[0], recursive=True)
    with filesystem.open_output_stream(path) as stream:
        if uri.endswith("csv"):
            stream.write(frame.to_csv(index=False).encode())
        else:
            frame.to_parquet(stream, index=False)


def config(kind: str, path: str, **more):
    model = CsvSource if kind == "csv" else ParquetSource
    return model(kind=kind, path=path, **more)


def fetch(source, first=FOUR_DAYS[0], last=FOUR_DAYS[-1]) -> pd.DataFrame:
    end = moment(last) + timedelta(days=1)
    return SOURCES[source.kind](source, COLUMNS, moment(first), end, Path("unused"))


@pytest.mark.parametrize("pattern", ["", "/*/day-*.{kind}", "/**/*.{kind}", "/2024/day-?.{kind}"])
def test_a_folder_or_a_glob_is_all_its_files(root, kind, pattern):
    for number, day in enumerate(FOUR_DAYS):
        put(make_frame(first_day=day), f"{root}/2024/day-{number}.{kind}")
    put(make_frame(), f"{root}/2024/_unfinished.{kind}")

    frame = fetch(config(kind, root + pattern.format(kind=kind)))

    assert len(frame) == 4 * 72


def test_only_the_files_of_the_asked_days_are_read(root, kind):
    put(make_frame(), f"{root}/{FIRST_DAY}.{kind}")
    put(pd.DataFrame({"other": ["content"]}), f"{root}/{FOUR_DAYS[1]}.{kind}")

    frame = fetch(config(kind, f"{root}/{{date}}.{kind}"), last=FIRST_DAY)

    assert len(frame) == 72


def test_a_day_whose_file_is_not_there_delivered_nothing(root, kind):
    put(make_frame(), f"{root}/{FIRST_DAY}.{kind}")

    frame = fetch(config(kind, f"{root}/{{date}}.{kind}"), first=FOUR_DAYS[1])

    assert frame.empty


def test_days_of_a_zone_other_than_utc_need_two_files(tmp_path, kind):
    for day in FOUR_DAYS[:2]:
        local = make_frame(first_day=day)
        local["timestamp"] = local["timestamp"].dt.tz_localize(None)
        put(local, f"{tmp_path}/{day}.{kind}")
    source = config(kind, f"{tmp_path}/{{date}}.{kind}", timezone="America/New_York")

    frame = fetch(source, first=FOUR_DAYS[1], last=FOUR_DAYS[1])

    assert len(frame) == 72  # five hours of the first local day, nineteen of the second


def test_a_glob_without_a_match_is_an_outage_with_the_mend(root, kind):
    with pytest.raises(OutageError, match=rf"\.{kind}.* file; correct the path, or wait"):
        fetch(config(kind, f"{root}/none-*.{kind}"))


@pytest.mark.integration
def test_a_store_that_refuses_the_key_is_an_outage_with_the_mend(kind, s3_root, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    with pytest.raises(OutageError, match=r"cannot be listed .*credentials"):
        fetch(config(kind, f"{s3_root}/*.{kind}"))


def test_names_are_mapped_to_those_of_the_schema(tmp_path, kind):
    put(make_frame().rename(columns={"flow": "F-101"}), f"{tmp_path}/all.{kind}")

    frame = fetch(config(kind, f"{tmp_path}/all.{kind}", rename={"F-101": "flow"}))

    assert frame["flow"].notna().all()


def test_a_column_that_is_not_there_is_left_to_the_contract(tmp_path, kind):
    put(make_frame().drop(columns="flow"), f"{tmp_path}/all.{kind}")

    assert "flow" not in fetch(config(kind, f"{tmp_path}/all.{kind}"))


def test_files_with_different_columns_are_joined_by_name(tmp_path, kind):
    put(make_frame().drop(columns="flow"), f"{tmp_path}/1.{kind}")
    put(make_frame(first_day=FOUR_DAYS[1]), f"{tmp_path}/2.{kind}")

    frame = fetch(config(kind, str(tmp_path)))

    assert frame["flow"].isna().sum() == 72


@pytest.mark.parametrize(
    ("name", "told"),
    [("broken.csv", "no CSV with delimiter ',' in UTF-8"), ("broken.parquet", "no Parquet file")],
)
def test_a_file_of_another_format_is_named_with_the_mend(tmp_path, name, told):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00broken")
    kind = name.rpartition(".")[2]

    with pytest.raises(DataError, match=rf"{name} is {told}"):
        fetch(config(kind, str(tmp_path / name)))


def test_only_the_row_groups_of_the_interval_are_read(tmp_path, monkeypatch):
    path = tmp_path / "all.parquet"
    make_frame(4).to_parquet(path, row_group_size=72)
    filters = []
    original = parquet_files._interval
    monkeypatch.setattr(
        parquet_files, "_interval", lambda *given: filters.append(original(*given)) or filters[0]
    )

    fetch(config("parquet", str(path)), last=FIRST_DAY)

    fragment = next(pyarrow.dataset.dataset(path).get_fragments())
    assert len(fragment.split_by_row_group(filters[0])) == 1


def test_a_time_that_pandas_stored_as_its_index_is_read_as_a_column(tmp_path):
    frame = make_frame()
    time = frame.columns[0]
    (tmp_path / "data").mkdir()
    frame.set_index(time).to_parquet(tmp_path / "data" / "a.parquet")

    found = fetch(config("parquet", f"{tmp_path}/data"))

    assert time in found.columns
    assert len(found) == len(frame)
