import decimal

import pandas as pd
import pytest

from pipeline.config import Columns
from pipeline.data.raw_values import as_float64
from pipeline.data.sources.shaping import (
    FILED_DAY,
    TIME_FAULT,
    TIME_TEXT,
    SourceRows,
    shaped,
    wanted,
)
from pipeline.errors import DataError
from tests.builders import FIRST_DAY, moment

COLUMNS = Columns.model_validate({"cadence": "1h", "features": {"x": {"unit": "1"}}})
PARIS = "Europe/Paris"


def shape(stamps, values=None, *, timezone="UTC", year=2024) -> pd.DataFrame:
    delivered = pd.DataFrame({"timestamp": stamps})
    delivered["x"] = values if values is not None else range(len(delivered))
    start, end = (moment(pd.Timestamp(year + n, 1, 1).date()) for n in (0, 1))
    return shaped([rows_of(delivered)], COLUMNS, timezone, start, end)


def rows_of(rows: pd.DataFrame, day=None) -> SourceRows:
    return SourceRows(rows, "x.csv", day)


@pytest.mark.parametrize(
    "stamps",
    [
        ["2024-07-01T12:00:00+02:00"],
        ["2024-07-01 12:00:00+02"],
        ["2024-07-01T10:00:00Z"],
        ["2024-07-01 12:00:00"],
        ["2024-07-01 12:00"],
        ["2024-07-01T12+02:00"],
        ["2024-07-01T12:00+02"],
        ["2024-07-01T1200+0200"],
        ["20240701T120000 +0200"],
        ["2024-7-1 12:00"],
        ["2024/07/01 12:00:00,000"],
        ["2024-07-01T10:00:00 utc"],
        [" 2024-07-01T10:00:00z "],
        pd.to_datetime(["2024-07-01 12:00"]),
        pd.to_datetime(["2024-07-01 12:00"]).astype("datetime64[s]"),
        pd.to_datetime(["2024-07-01 12:00"]).tz_localize(PARIS),
    ],
    ids=str,
)
def test_every_way_to_write_a_moment_means_the_same_moment(stamps):
    frame = shape(stamps, timezone=PARIS)

    assert frame["timestamp"].iloc[0] == pd.Timestamp("2024-07-01T10:00Z")


def test_a_time_is_not_read_by_the_offset_of_the_row_before_it():
    frame = shape(["2024-07-01T12:00:00+05:00", "2024-7-1 12:00", " 2024-07-01 12:00 "])

    assert list(frame["timestamp"].dt.hour) == [7, 12, 12]


def test_the_end_of_a_day_is_the_start_of_the_next():
    assert shape(["2024-07-01T24:00Z"])["timestamp"].item() == pd.Timestamp("2024-07-02T00:00Z")


def test_offsets_win_over_the_declared_zone_row_by_row():
    frame = shape(["2024-07-01T12:00:00", "2024-07-01T12:00:00+00:00"], timezone=PARIS)

    assert list(frame["timestamp"].dt.hour) == [10, 12]


@pytest.mark.parametrize("local", ["2024-10-27 02:30", "2024-03-31 02:30"], ids=["twice", "never"])
def test_a_local_time_that_is_two_moments_or_none_is_kept_and_marked(local):
    frame = shape([local, "2024-06-01 00:00"], timezone=PARIS)

    fault = frame.loc[frame["x"] == 0, TIME_FAULT].item()
    assert f"{local}:00 does not say" in fault
    assert "deliver UTC or offsets" in fault
    assert frame.loc[frame["x"] == 1, TIME_FAULT].isna().all()


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("01/02/2024 noon", "'01/02/2024 noon' is no time that can be read; deliver ISO 8601"),
        ("now", "'now' is no time"),
        ("2024-02-30", "'2024-02-30' is no time"),
        ("2024-01-02T10:00:60Z", "is no time"),
        ("2024-01-02T10:00:00+99:00", "is no time"),
        ("9999-12-31T00:00:00Z", "lies outside the years 1678 to 2261; correct the clock"),
        ("0001-01-01", "lies outside the years 1678 to 2261"),
        ("", "the time is missing; deliver ISO 8601"),
        (None, "the time is missing"),
    ],
)
def test_a_row_without_a_readable_time_is_kept_with_the_reason(stamp, reason):
    frame = shape(["2024-01-01T00:00:00Z", stamp])

    assert list(frame["x"]) == [0, 1]
    assert pd.isna(frame["timestamp"].iloc[1])
    assert reason in frame[TIME_FAULT].iloc[1]
    assert pd.isna(frame[TIME_FAULT].iloc[0])
    assert frame.get(TIME_TEXT, pd.Series([None, None])).iloc[1] == stamp


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_native_time_that_is_absent_is_kept_with_the_reason(unit):
    frame = shape(pd.Series(["2024-01-01", None], dtype=f"datetime64[{unit}]"))

    assert "the time is missing" in frame[TIME_FAULT].iloc[1]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_native_time_beyond_nanoseconds_is_kept_with_the_reason(unit):
    frame = shape(pd.Series(["2024-01-01", "9999-12-31"], dtype=f"datetime64[{unit}]"))

    assert "'9999-12-31T00:00:00' lies outside the years" in frame[TIME_FAULT].iloc[1]


def test_a_row_without_time_is_filed_under_the_day_of_the_row_before_it():
    stamps = ["?", "2024-01-01T23:00Z", "?", "2024-01-02T01:00Z", "?"]

    frame = shape(stamps).sort_values("x")

    days = pd.to_datetime(frame[FILED_DAY], unit="D").dt.strftime("%m-%d")
    assert list(days.fillna("")) == ["01-01", "", "01-01", "", "01-02"]


def test_of_several_days_each_gets_the_rows_without_time_that_it_gets_alone():
    stamps = pd.Series(["2024-01-01T23:00Z", "?", "2024-01-02T01:00Z", "?", "2024-01-03T00:00Z"])
    rows = pd.DataFrame({"timestamp": stamps, "x": range(5)})

    def fetched(first, last) -> list[int]:
        start, end = (moment(pd.Timestamp(2024, 1, day).date()) for day in (first, last + 1))
        return sorted(shaped([rows_of(rows)], COLUMNS, "UTC", start, end)["x"])

    assert [fetched(1, 1), fetched(2, 2), fetched(3, 3)] == [[0, 1], [2, 3], [4]]
    assert fetched(1, 3) == [0, 1, 2, 3, 4]


def test_a_file_of_which_no_time_can_be_read_is_named():
    with pytest.raises(DataError, match=r"x\.csv: none of 2 timestamps can be read; deliver ISO"):
        shape(["05.01.2024", "06.01.2024"])


def test_rows_of_a_local_day_go_to_the_utc_days_that_they_belong_to():
    """UTC+14 begins the local 2 January at 10:00 of the 1st, UTC-12 ends it at noon of the 3rd."""
    stamps = ["2024-01-01T10:00Z", "2024-01-02T12:00Z", "2024-01-03T13:59Z"]
    rows = pd.DataFrame({"timestamp": stamps, "x": range(3)})
    day = pd.Timestamp(2024, 1, 2).date()

    found = [list(shaped([rows_of(rows, day)], COLUMNS, "UTC", *day_of(n))["x"]) for n in (1, 2, 3)]

    assert found == [[0], [1], [2]]


@pytest.mark.parametrize(
    "stamp", ["1970-01-01T00:00Z", "2024-01-01T09:59Z", "2024-01-03T14:00Z", "nonsense"]
)
def test_a_row_of_no_local_day_is_filed_with_the_day_of_its_file_and_only_there(stamp):
    rows = pd.DataFrame({"timestamp": [stamp], "x": [7]})
    day = pd.Timestamp(2024, 1, 2).date()

    found = [shaped([rows_of(rows, day)], COLUMNS, "UTC", *day_of(n)) for n in (1, 2, 3)]

    assert [len(frame) for frame in found] == [0, 1, 0]
    assert found[1][FILED_DAY].item() == (day - pd.Timestamp(0).date()).days


def day_of(number: int):
    start = moment(pd.Timestamp(2024, 1, number).date())
    return start, start + pd.Timedelta(days=1)


def test_nanoseconds_are_cut_to_microseconds():
    stamps = pd.to_datetime(["2024-01-01T00:00:00.000000999"])

    assert shape(stamps)["timestamp"].item() == pd.Timestamp("2024-01-01", tz="UTC")
    assert shape(["2024-01-01T00:00:00.0000009"])["timestamp"].item() == pd.Timestamp(
        "2024-01-01", tz="UTC"
    )


def test_an_absent_time_column_is_named_with_those_that_came():
    with pytest.raises(DataError, match=r"no column 'timestamp', only ' time', 'x'; name the time"):
        wanted(COLUMNS, {}, [" time", "x"], "x.csv")


NAMED = Columns.model_validate(
    {"entity": "machine", "cadence": "1h", "features": {"x": {"unit": "1"}}}
)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, 2, None], ["1", "2", None]),
        ([1.0, 2.0, None], ["1", "2", None]),
        ([1.5, decimal.Decimal(7), decimal.Decimal("7.5")], ["1.5", "7", "7.5"]),
        ([2**60 + 1, 2**60 + 2, None], [str(2**60 + 1), str(2**60 + 2), None]),
        (["NA", "null", " "], ["NA", "null", None]),
        (["01", "1", "1.0"], ["01", "1", "1.0"]),
        ([True, b"a", (1, 2)], ["True", "a", "(1, 2)"]),
    ],
    ids=str,
)
def test_a_machine_has_its_name_whatever_else_the_column_holds(values, names):
    stamps = ["2024-01-01", "2024-01-02", "2024-01-03"]
    machine = pd.Series(values, dtype=object)
    rows = pd.DataFrame({"timestamp": stamps, "machine": machine, "x": 1.0})
    start, end = moment(FIRST_DAY), moment(pd.Timestamp(2025, 1, 1).date())

    together = shaped([rows_of(rows)], NAMED, "UTC", start, end)
    alone = [shaped([rows_of(rows.iloc[[n]])], NAMED, "UTC", start, end) for n in range(3)]

    assert list(together["machine"]) == names
    assert [frame["machine"].item() for frame in alone] == names


def test_a_floating_point_id_that_may_be_two_machines_is_refused():
    rows = pd.DataFrame({"timestamp": ["2024-01-01"], "machine": [2.0**60], "x": 1.0})

    with pytest.raises(DataError, match=r"column machine holds 1\.15.*limit 2\^53.*whole numbers"):
        shaped([rows_of(rows)], NAMED, "UTC", *day_of(1))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (pd.Timestamp("2024-01-01"), "2024-01-01 00:00:00"),
        (pd.Timedelta("1s"), "0 days 00:00:01"),
        (b"\xff", "b'\\xff'"),
        ("2024-01-01", "2024-01-01"),
        ([1.0], "[1.0]"),
    ],
    ids=str,
)
def test_what_is_no_number_is_kept_as_text_for_the_contract(value, kept):
    frame = shape(["2024-01-01", "2024-01-02"], pd.Series([value, None], dtype=object))

    assert frame["x"].iloc[0] == kept
    assert pd.isna(frame["x"].iloc[1])


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[s]", "timedelta64[ns]"])
def test_a_column_of_times_or_durations_holds_no_numbers(dtype):
    frame = shape(["2024-01-01"], pd.Series([1_700_000_000], dtype="int64").astype(dtype))

    assert isinstance(frame["x"].item(), str)


def test_numbers_that_came_as_text_or_decimals_are_numbers():
    frame = shape(["2024-01-01", "2024-01-02"], [decimal.Decimal("1.5"), "2"])

    assert list(frame["x"]) == [1.5, 2.0]


def test_a_value_that_is_no_number_is_kept_as_text_for_the_contract():
    frame = shape(["2024-01-01", "2024-01-02"], [1.5, "broken"])

    assert list(frame["x"]) == ["1.5", "broken"]


def test_a_number_among_text_keeps_every_digit():
    number = 0.1 + 0.2

    frame = shape(["2024-01-01", "2024-01-02"], [number, "broken"])

    assert as_float64(frame["x"]).iloc[0] == number
