import decimal

import pandas as pd
import pytest

from pipeline.config import Columns
from pipeline.data.sources.shaping import TIME_FAULT, shaped
from pipeline.errors import DataError
from tests.builders import FIRST_DAY, moment

COLUMNS = Columns.model_validate({"cadence": "1h", "features": {"x": {"unit": "1"}}})
PARIS = "Europe/Paris"


def shape(stamps, values=None, *, timezone="UTC", year=2024) -> pd.DataFrame:
    delivered = pd.DataFrame({"timestamp": stamps})
    delivered["x"] = values if values is not None else range(len(delivered))
    start, end = (moment(pd.Timestamp(year + n, 1, 1).date()) for n in (0, 1))
    return shaped(delivered, COLUMNS, timezone, start, end)


@pytest.mark.parametrize(
    "stamps",
    [
        ["2024-07-01T12:00:00+02:00"],
        ["2024-07-01 12:00:00+02"],
        ["2024-07-01T10:00:00Z"],
        ["2024-07-01 12:00:00"],
        ["2024-07-01 12:00"],
        pd.to_datetime(["2024-07-01 12:00"]),
        pd.to_datetime(["2024-07-01 12:00"]).astype("datetime64[s]"),
        pd.to_datetime(["2024-07-01 12:00"]).tz_localize(PARIS),
    ],
    ids=str,
)
def test_every_way_to_write_a_moment_means_the_same_moment(stamps):
    frame = shape(stamps, timezone=PARIS)

    assert frame["timestamp"].iloc[0] == pd.Timestamp("2024-07-01T10:00Z")


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


def test_an_unreadable_timestamp_is_named_with_its_row():
    with pytest.raises(
        DataError, match=r"1 of 2 timestamps.*'01/02/2024 noon' in row 2; deliver ISO"
    ):
        shape(["2024-01-01T00:00:00Z", "01/02/2024 noon"])


def test_a_missing_timestamp_is_an_error():
    with pytest.raises(DataError, match="1 of 2 timestamps cannot be read"):
        shape(pd.to_datetime(["2024-01-01", None]))


def test_an_absent_time_column_is_named_with_those_that_came():
    with pytest.raises(DataError, match=r"no column 'timestamp', only time, x; name the time"):
        shaped(
            pd.DataFrame({"time": [], "x": []}),
            COLUMNS,
            "UTC",
            moment(FIRST_DAY),
            moment(FIRST_DAY),
        )


def test_numbers_that_came_as_text_or_decimals_are_numbers():
    frame = shape(["2024-01-01", "2024-01-02"], [decimal.Decimal("1.5"), "2"])

    assert list(frame["x"]) == [1.5, 2.0]


def test_a_value_that_is_no_number_is_kept_as_text_for_the_contract():
    frame = shape(["2024-01-01", "2024-01-02"], [1.5, "broken"])

    assert list(frame["x"]) == ["1.5", "broken"]
