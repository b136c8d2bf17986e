import pandas as pd
import pytest

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.store.telemetry import (
    count_telemetry,
    read_telemetry,
    read_telemetry_of,
    scan_telemetry,
    telemetry_columns,
    telemetry_days,
    telemetry_sizes,
    telemetry_table,
    telemetry_version,
)
from pipeline.tables import Table
from tests.builders import ROWS_A_DAY, days, make_spec, make_telemetry, stored_in

SPEC = make_spec()
D = days(3)


@pytest.fixture
def here(tmp_path) -> Deployment:
    """Three days, of which the second came last."""
    rows = telemetry_table(make_telemetry(3), SPEC.columns)
    where = Table(str(tmp_path), "pumps", "telemetry")
    for few in ([D[0], D[2]], [D[1]]):
        held = [day in few for day in rows["date"].to_pylist()]
        tables.replace_days(where, few, rows.filter(held), metadata={})
    return stored_in(tmp_path)


def test_a_detector_without_telemetry_has_no_version_no_day_and_no_column(tmp_path):
    here = stored_in(tmp_path)

    assert telemetry_version(here, "pumps") is None
    assert telemetry_days(here, "pumps") == []
    assert telemetry_columns(here, "pumps") == {}
    assert telemetry_sizes(here, "pumps") == {}


def test_an_earlier_version_holds_the_days_of_its_time(here):
    newest = telemetry_version(here, "pumps")

    assert telemetry_days(here, "pumps") == D
    assert telemetry_days(here, "pumps", version=newest - 1) == [D[0], D[2]]
    assert set(count_telemetry(here, SPEC, D[0], D[1], version=newest - 1)) == {D[0]}


def test_the_log_and_the_rows_tell_the_same_number(here):
    sizes = dict.fromkeys(D, ROWS_A_DAY)

    assert telemetry_sizes(here, "pumps") == sizes
    assert count_telemetry(here, SPEC, D[0], D[2], version=None) == sizes


def test_rows_come_with_the_columns_and_of_the_days_asked_for(here):
    found = read_telemetry(here, "pumps", D[1], D[2], columns=["flow", "date"])

    assert list(found.columns) == ["flow", "date"]
    assert set(found["date"]) == {D[1], D[2]}
    assert "date" not in read_telemetry(here, "pumps", D[0], D[0])


def test_days_that_are_no_neighbours_come_in_order_of_time_and_machine(here):
    version = telemetry_version(here, "pumps")

    found = read_telemetry_of(here, SPEC, [D[0], D[2]], version=version)

    assert set(found["timestamp"].dt.date) == {D[0], D[2]}
    pd.testing.assert_frame_equal(found, found.sort_values(["timestamp", "pump"]))


def test_a_scan_has_those_columns_that_the_table_has(here):
    found = scan_telemetry(here, "pumps", D[0], D[0], columns={"flow", "unknown"})

    assert (found.column_names, found.num_rows) == (["flow"], ROWS_A_DAY)
