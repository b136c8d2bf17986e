"""Rows with missing values, from validation into the table and a training window."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.data.contract import Validated, validate_days
from pipeline.data.derive import derive
from pipeline.errors import DataError
from pipeline.store.telemetry import telemetry_table
from pipeline.store.training_window import read_training_window
from pipeline.tables import Table, read, replace_days
from tests.builders import FIRST_DAY, ROWS_A_DAY, days, make_frame, make_spec, on, stored_in

MASKED = {"family": "masked"}


def tolerant(share=0.34, **sections):
    return make_spec(validation={"missing_cells": share}, model=MASKED, **sections)


def judge(frame, spec=None) -> Validated:
    return validate_days(frame, spec or tolerant(), [FIRST_DAY])[FIRST_DAY]


def lacking(*columns, hours=(3, 4)) -> pd.DataFrame:
    frame = make_frame()
    frame.loc[on(frame, "a", hours), list(columns)] = np.nan
    return frame


@pytest.mark.parametrize("column", ["flow", "pressure", "angle"])
def test_a_row_that_lacks_one_of_three_features_is_accepted_as_it_is(column):
    result = judge(lacking(column))

    assert result.report.verdict == "validated"
    assert result.rejected.empty
    pd.testing.assert_frame_equal(result.accepted, lacking(column))


def test_by_default_such_a_row_is_accepted_and_the_value_is_a_fault_of_its_channel():
    result = judge(lacking("flow"), make_spec())

    pd.testing.assert_frame_equal(result.accepted, lacking("flow"))
    assert [(each.channel, each.rule) for each in result.report.missing] == [
        ("flow", "missing_value")
    ]


def test_where_values_may_be_missing_a_missing_one_is_no_fault_and_a_broken_one_is():
    frame = lacking("pressure", hours=[3])
    frame.loc[on(frame, "a", [5]), "flow"] = 101.0

    result = judge(frame)

    assert [(each.channel, each.rule) for each in result.report.missing] == [
        ("flow", "out_of_range")
    ]
    assert result.accepted["flow"].isna().sum() == 1


def test_a_row_that_lacks_more_is_in_quarantine_with_its_reason():
    result = judge(lacking("flow", "angle"))

    assert result.report.rejected == {"too_many_missing": 2}
    assert set(result.rejected["detail"]) == {"2 of 3 features are missing (flow, angle); limit 1"}


def test_the_limit_is_a_share_of_the_features():
    assert judge(lacking("flow", "angle"), tolerant(0.7)).rejected.empty
    assert len(judge(lacking("flow"), tolerant(0.3)).rejected) == 2


def test_a_row_without_any_judged_feature_is_in_quarantine_whatever_the_limit():
    spec = tolerant(0.9, schema={**_schema(), "derived": []})
    result = judge(lacking("flow", "pressure"), spec)

    assert result.report.rejected == {"too_many_missing": 2}
    assert "every feature that is judged is missing" in result.rejected["detail"].iloc[0]


def _schema():
    content = make_spec().columns.model_dump(mode="json", exclude_unset=True)
    content["features"]["angle"]["context"] = True
    return content


def test_a_row_without_any_feature_still_counts_as_not_delivered():
    result = judge(lacking("flow", "pressure", "angle"), tolerant(0.9))

    assert result.report.rejected == {"no_measurement": 2}


@pytest.mark.parametrize(
    ("value", "rule"),
    [("off", "wrong_type:flow"), (np.inf, "not_finite:flow"), (101, "out_of_range:flow")],
)
def test_what_is_there_is_held_to_its_limits_all_the_same(value, rule):
    frame = lacking("pressure")
    frame["flow"] = frame["flow"].astype(object).mask(on(frame, "a", [3, 4]), value)

    assert judge(frame).report.rejected == {rule: 2}


def test_rejected_rows_keep_their_gaps():
    result = judge(lacking("flow", "angle"))

    assert json.loads(result.rejected["row"].iloc[0])["flow"] is None


def test_a_missing_value_has_no_deviation_and_is_nobodys_peer():
    frame = lacking("flow", hours=[3])
    derived = derive(frame, tolerant().columns)
    b, c = (frame.loc[on(frame, pump, [3]), "flow"].item() for pump in "bc")

    own, other = on(frame, "a", [3]), on(frame, "b", [3])
    assert derived.loc[own, ["flow", "flow_vs_peers"]].isna().to_numpy().all()
    assert derived.loc[own, ["pressure", "pressure_vs_peers", "angle_sin"]].notna().all(axis=None)
    assert derived.loc[other, "flow_vs_peers"].item() == pytest.approx(b - c, abs=1e-5)


def test_fewer_peers_with_a_value_than_needed_make_the_deviation_missing_too():
    columns = make_spec(
        schema={
            "derived": [{"kind": "peer_deviation", "of": ["flow", "pressure"], "minimum_peers": 2}]
        }
    ).columns
    frame = lacking("flow", hours=[3])

    derived = derive(frame, columns)

    other = on(frame, "b", [3])
    assert derived.loc[other, ["flow_vs_peers"]].isna().to_numpy().all()
    assert derived.loc[other, ["flow", "pressure_vs_peers"]].notna().to_numpy().all()


def put(root, spec, frame):
    rows = telemetry_table(derive(frame, spec.columns), spec.columns)
    replace_days(Table(root, spec.name, "telemetry"), days(6), rows, metadata={})


def test_gaps_are_nulls_in_the_table_and_come_back(tmp_path):
    spec = tolerant()
    frame = make_frame(6)
    frame.loc[on(frame, "a", [3]), "flow"] = np.nan
    frame.loc[on(frame, "b", [5]), "angle"] = np.nan
    put(str(tmp_path), spec, frame)

    table = telemetry_table(derive(frame, spec.columns), spec.columns)
    window = read_training_window(stored_in(tmp_path), spec, days(7)[6]).frame
    stored = read(Table(str(tmp_path), spec.name, "telemetry"))

    assert {name: table[name].null_count for name in ("flow", "flow_vs_peers", "angle_cos")} == {
        "flow": 6,
        "flow_vs_peers": 6,
        "angle_cos": 6,
    }
    for found in (window, stored):
        assert len(found) == 6 * ROWS_A_DAY
        assert int(found["flow"].isna().sum()) == 6
        assert found.loc[found["flow"].isna(), "pump"].eq("a").all()


def test_a_training_window_leaves_gaps_out_by_default_and_refuses_a_silent_feature(tmp_path):
    spec = tolerant()
    frame = make_frame(6)
    frame.loc[on(frame, "a", [3]), "flow"] = np.nan
    put(str(tmp_path), spec, frame)

    found = read_training_window(stored_in(tmp_path), make_spec(), days(7)[6])
    assert len(found.frame) == 432 - 6
    assert found.frame.notna().all(axis=None)
    assert (found.manifest.rows, found.manifest.partial) == (432, 6)

    frame.loc[on(frame, "a"), "flow"] = np.nan
    frame.loc[~on(frame, "a"), "angle"] = np.nan
    put(str(tmp_path), spec, frame)
    with pytest.raises(DataError, match=r"each of 432 rows lacks a channel \(angle_\w+ in 288, .*"):
        read_training_window(stored_in(tmp_path), make_spec(), days(7)[6])

    put(str(tmp_path), spec, frame.assign(pressure=np.nan))
    with pytest.raises(DataError, match=r"432 of 432 rows have no pressure"):
        read_training_window(stored_in(tmp_path), spec, days(7)[6])
