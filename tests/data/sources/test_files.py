"""Sources `csv` and `parquet`: which files they find, and the errors when one is wrong."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from pipeline.config import CsvSource, ParquetSource
from pipeline.data.raw_values import as_float64
from pipeline.data.sources import SOURCES, parquet_files
from pipeline.data.sources.shaping import FILED_DAY, TIME_FAULT
from pipeline.errors import DataError, OutageError
from pipeline.staging import filesystem_at
from tests.builders import FIRST_DAY, days, make_frame, make_spec, moment

COLUMNS = make_spec().columns
FOUR_DAYS = days(4)


@pytest.fixture(params=["csv", "parquet"])
def kind(request) -> str:
    return request.param


def put(frame: pd.DataFrame, uri: str) -> None:
    folder, _, name = uri.rpartition("/")
    root, inside = (folder, "") if "[" not in folder else folder.rsplit("/", 1)
    filesystem, place = filesystem_at(root)
    path = "/".join(filter(None, (place, inside, name)))
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
    put(pd.DataFrame({"other": ["content"]}), f"{root}/{FOUR_DAYS[2]}.{kind}")

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


def test_a_glob_without_a_match_is_an_outage_with_the_fix(root, kind):
    with pytest.raises(OutageError, match=rf"\.{kind}.* file; correct the path, or wait"):
        fetch(config(kind, f"{root}/none-*.{kind}"))


@pytest.mark.integration
def test_a_store_that_refuses_the_key_is_an_outage_with_the_fix(kind, s3_root, monkeypatch):
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
    ("name", "fault"),
    [("broken.csv", "no CSV with delimiter ',' in UTF-8"), ("broken.parquet", "no Parquet file")],
)
def test_a_file_of_another_format_is_named_with_the_fix(tmp_path, name, fault):
    (tmp_path / name).write_bytes(b"\xff\xfebroken")
    kind = name.rpartition(".")[2]

    with pytest.raises(DataError, match=rf"{name} is {fault}"):
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


def test_a_damaged_file_of_the_next_day_does_not_stop_this_one(root, kind):
    put(make_frame(), f"{root}/{FIRST_DAY}.{kind}")
    put(pd.DataFrame({"other": ["content"]}), f"{root}/{FOUR_DAYS[1]}.{kind}")
    source = config(kind, f"{root}/{{date}}.{kind}")

    assert len(fetch(source, last=FIRST_DAY)) == 72
    with pytest.raises(DataError, match="has no column 'timestamp', only 'other'"):
        fetch(source, first=FOUR_DAYS[1], last=FOUR_DAYS[1])


def test_local_days_with_offsets_lose_no_row(root, kind):
    """Five hours of a UTC day lie in the file of the local day before it."""
    for day in FOUR_DAYS:
        local = make_frame(first_day=day)
        moved = local["timestamp"] + pd.Timedelta(hours=5)
        put(local.assign(timestamp=moved.dt.tz_convert("America/New_York")), f"{root}/{day}.{kind}")

    frame = fetch(config(kind, f"{root}/{{date}}.{kind}"), FOUR_DAYS[1], FOUR_DAYS[2])

    assert len(frame) == 2 * 72
    assert FILED_DAY not in frame


def test_rows_of_a_dead_clock_in_the_file_of_a_day_are_kept_and_filed(root, kind):
    frame = make_frame()
    frame.loc[:9, "timestamp"] = pd.Timestamp("1970-01-01T00:00Z")
    put(frame, f"{root}/{FIRST_DAY}.{kind}")

    found = fetch(config(kind, f"{root}/{{date}}.{kind}"), last=FIRST_DAY)

    assert len(found) == 72
    assert found[FILED_DAY].notna().sum() == 10


def test_rows_without_a_time_are_kept_and_marked(root, kind):
    frame = make_frame(2)
    frame.loc[5, "timestamp"] = pd.NaT
    put(frame, f"{root}/all.{kind}")
    source = config(kind, f"{root}/all.{kind}")

    found, next_day = fetch(source, last=FIRST_DAY), fetch(source, FOUR_DAYS[1], FOUR_DAYS[1])

    assert len(found) == len(next_day) == 72
    assert "the time is missing" in found[TIME_FAULT].dropna().item()
    assert TIME_FAULT not in next_day


@pytest.mark.parametrize("folder", ["plant [A]", "plant [1-", "[!x] (old)"])
@pytest.mark.parametrize("pattern", ["", "/day.{kind}", "/*.{kind}", "/**/d?y.{kind}"])
def test_brackets_in_a_name_are_that_name(root, kind, folder, pattern):
    put(make_frame(), f"{root}/{folder}/day.{kind}")
    put(make_frame(), f"{root}/plant-A/day.{kind}")

    assert len(fetch(config(kind, f"{root}/{folder}{pattern.format(kind=kind)}"))) == 72


def test_a_glob_may_name_a_set_of_signs(root, kind):
    for name in "123":
        put(make_frame(first_day=FOUR_DAYS[int(name)]), f"{root}/day-{name}.{kind}")

    assert len(fetch(config(kind, f"{root}/day-[12].{kind}"))) == 2 * 72


def test_upper_case_endings_are_read(root, kind):
    path = f"{root}/a.{kind}"
    put(make_frame(), path)
    filesystem, place = filesystem_at(path)
    filesystem.move(place, place.replace(f"a.{kind}", f"A.{kind.upper()}"))

    assert len(fetch(config(kind, root))) == 72


def test_a_header_twice_is_named(tmp_path):
    text = make_frame().to_csv(index=False).replace("pressure", "flow", 1)
    (tmp_path / "x.csv").write_text(text)

    with pytest.raises(DataError, match=r"has the column flow 2 times \('flow', 'flow'\)"):
        fetch(config("csv", f"{tmp_path}/x.csv"))


def test_a_column_that_is_renamed_onto_another_one_is_named(tmp_path, kind):
    put(make_frame().assign(flow_avg=1.0), f"{tmp_path}/x.{kind}")

    with pytest.raises(DataError, match=r"has the column flow 2 times \('flow', 'flow_avg'\)"):
        fetch(config(kind, f"{tmp_path}/x.{kind}", rename={"flow_avg": "flow"}))


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_wrong_delimiter_shows_the_header_and_the_fix(tmp_path, delimiter):
    (tmp_path / "x.csv").write_text(make_frame().to_csv(index=False, sep=delimiter))

    with pytest.raises(DataError) as caught:
        fetch(config("csv", f"{tmp_path}/x.csv"))

    assert repr(delimiter.join(make_frame().columns)) in str(caught.value)
    assert f"set source.delimiter to {delimiter!r}" in str(caught.value)


def test_a_machine_may_be_called_na_and_a_value_may_not(tmp_path):
    make_frame().assign(pump="NA", flow="NA").to_csv(tmp_path / "x.csv", index=False)

    found = fetch(config("csv", f"{tmp_path}/x.csv"))

    assert set(found["pump"]) == {"NA"}
    assert found["flow"].isna().all()


def test_a_value_of_csv_is_read_alike_whatever_else_its_column_holds(tmp_path):
    make_frame().to_csv(tmp_path / "x.csv", index=False)
    plain = fetch(config("csv", f"{tmp_path}/x.csv"))["flow"]
    frame = make_frame().astype({"flow": object})
    frame.loc[3, "flow"] = "broken"
    frame.to_csv(tmp_path / "x.csv", index=False)

    mixed = as_float64(fetch(config("csv", f"{tmp_path}/x.csv"))["flow"])

    assert mixed.isna().sum() == 1
    assert (mixed == plain).sum() == 71


@pytest.mark.parametrize("length", [200, -200], ids=["begun", "end missing"])
def test_a_file_that_is_broken_off_is_a_fault_of_the_data(tmp_path, kind, length):
    path = tmp_path / ("x.csv.gz" if kind == "csv" else "x.parquet")
    if kind == "csv":
        make_frame(4).to_csv(path)
    else:
        make_frame(4).to_parquet(path)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(DataError, match=rf"{path.name} .*deliver it again"):
        fetch(config(kind, str(path)))


def test_a_damaged_page_is_a_fault_of_the_data(tmp_path):
    path = tmp_path / "x.parquet"
    make_frame(4).to_parquet(path)
    held = bytearray(path.read_bytes())
    held[4:2000] = bytes(byte ^ 0xFF for byte in held[4:2000])
    path.write_bytes(held)

    with pytest.raises(DataError, match=r"x\.parquet is no Parquet file, or a damaged one"):
        fetch(config("parquet", str(path)))


@pytest.mark.parametrize(
    "text", [pa.string_view(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_every_way_to_store_text_is_read(tmp_path, text):
    table = pa.Table.from_pandas(make_frame(), preserve_index=False)
    place = table.column_names.index("pump")
    pq.write_table(
        table.set_column(place, "pump", table["pump"].cast(text)), tmp_path / "x.parquet"
    )

    assert set(fetch(config("parquet", f"{tmp_path}/x.parquet"))["pump"]) == {"a", "b", "c"}


def test_whole_numbers_as_machines_keep_their_digits_beside_a_null(tmp_path):
    table = pa.Table.from_pandas(make_frame().drop(columns="pump"), preserve_index=False)
    ids = pa.array([None, *[2**60 + n % 3 for n in range(71)]], pa.int64())
    pq.write_table(table.append_column("pump", ids), tmp_path / "x.parquet")

    found = fetch(config("parquet", f"{tmp_path}/x.parquet"))

    assert set(found["pump"].dropna()) == {str(2**60 + n) for n in range(3)}


def test_a_byte_that_is_zero_is_no_text(tmp_path):
    (tmp_path / "x.csv").write_text(make_frame().to_csv(index=False).replace("a", "a\0", 1))

    with pytest.raises(DataError, match=r"x\.csv holds the byte 0, so it is no text"):
        fetch(config("csv", f"{tmp_path}/x.csv"))


def test_a_whole_number_that_a_null_made_a_float_is_the_machine_that_it_was(tmp_path):
    numbers = make_frame().assign(pump=[None, *[float(1 + n % 2) for n in range(71)]])
    numbers.to_csv(tmp_path / "x.csv", index=False)

    assert set(fetch(config("csv", f"{tmp_path}/x.csv"))["pump"].dropna()) == {"1", "2"}


def test_a_zone_that_nobody_knows_does_not_hide_the_moment(tmp_path):
    table = pa.Table.from_pandas(make_frame(), preserve_index=False)
    place = table.column_names.index("timestamp")
    odd = table["timestamp"].cast(pa.timestamp("us", "CEST"))
    pq.write_table(table.set_column(place, "timestamp", odd), tmp_path / "x.parquet")

    found = fetch(config("parquet", f"{tmp_path}/x.parquet"))

    assert found["timestamp"].min() == moment(FIRST_DAY)
