from dataclasses import asdict

import pandas as pd
import pytest

from pipeline import records
from pipeline.errors import DataError
from pipeline.store.telemetry import telemetry_table
from pipeline.store.training_window import WindowManifest, read_training_window
from pipeline.tables import Table, replace_days
from tests.builders import ROWS_A_DAY, days, make_spec, make_telemetry, stored_in

SPEC = make_spec(split={"training_days": 8, "minimum_days": 6})
TABLE = "telemetry"


def put(root, n_days, *, spec=SPEC, without=(), change=lambda frame: frame) -> int:
    frames = {
        day: change(make_telemetry(first_day=day))
        for number, day in enumerate(days(n_days))
        if number not in without
    }
    rows = telemetry_table(pd.concat(frames.values()), spec.columns)
    return replace_days(Table(root, spec.name, TABLE), days(n_days), rows, metadata={})


@pytest.fixture
def lake(tmp_path) -> str:
    return str(tmp_path)


def test_the_last_validated_days_before_the_as_of_day_are_read(lake):
    put(lake, 12, without=[9])

    window = read_training_window(stored_in(lake), SPEC, days(12)[11])

    read = sorted(set(window.frame["timestamp"].dt.date))
    assert read == [*days(9)[2:], days(11)[10]]  # eight days, the absent one is skipped
    assert window.manifest.days == 8
    assert (window.manifest.first_day, window.manifest.last_day) == (read[0], read[-1])


def test_rows_come_back_in_order_of_time_and_machine(lake):
    put(lake, 6)

    frame = read_training_window(stored_in(lake), SPEC, days(7)[6]).frame

    pd.testing.assert_frame_equal(frame, make_expected())


def make_expected() -> pd.DataFrame:
    return pd.concat([make_telemetry(first_day=day) for day in days(6)], ignore_index=True)


def test_too_few_days_are_refused_with_value_limit_and_fix(lake):
    put(lake, 9)

    with pytest.raises(DataError, match=r"5 validated days before 2024-01-06.*limit 6: ingest"):
        read_training_window(stored_in(lake), SPEC, days(6)[5])


def test_a_detector_that_was_never_ingested_is_refused(lake):
    with pytest.raises(DataError, match="0 validated days"):
        read_training_window(stored_in(lake), SPEC, days(1)[0])


def test_an_old_table_version_gives_the_old_rows(lake):
    old = put(lake, 8)
    put(lake, 8, change=lambda frame: frame.head(3))

    window = read_training_window(stored_in(lake), SPEC, days(9)[8], version=old)

    assert window.manifest.table_version == old
    assert window.manifest.rows == 8 * ROWS_A_DAY


def test_the_manifest_counts_what_must_not_train(lake):
    put(lake, 6, change=lambda frame: frame.assign(eval_incident=frame["pump"] == "a"))

    window = read_training_window(stored_in(lake), SPEC, days(7)[6])

    assert window.manifest.excluded == {"eval_incident": 6 * 24}
    assert window.manifest.normal_rows == 6 * 48
    assert len(window.frame) == 6 * 72


def test_the_manifest_travels_as_json(lake):
    put(lake, 6)
    manifest = read_training_window(stored_in(lake), SPEC, days(7)[6]).manifest

    assert asdict(records.from_json(WindowManifest, records.to_json(manifest))) == asdict(manifest)


def test_days_from_before_a_feature_existed_are_refused(lake):
    put(lake, 6)
    features = {"temperature": {"unit": "degC"}, **SPEC.columns.model_dump()["features"]}
    newer = make_spec(schema={"features": features}, split={"minimum_days": 6})

    with pytest.raises(DataError, match=r"432 of 432 rows have no temperature.*Ingest those days"):
        read_training_window(stored_in(lake), newer, days(7)[6])
