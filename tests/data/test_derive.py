import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.data.derive import derive, median_of_others
from pipeline.errors import DataError
from tests.builders import make_frame, make_spec, on

COLUMNS = make_spec().columns


def test_the_columns_are_those_that_the_model_reads():
    result = derive(make_frame(), COLUMNS)

    assert list(result) == ["timestamp", "pump", *COLUMNS.feature_columns, "eval_incident"]
    assert all(result[name].dtype == np.float32 for name in COLUMNS.feature_columns)


def test_an_angle_becomes_a_point_on_the_circle():
    frame = make_frame().assign(angle=90.0)

    result = derive(frame, COLUMNS)

    assert np.allclose(result[["angle_sin", "angle_cos"]], [1, 0], atol=1e-6)


def test_a_deviation_is_the_value_minus_the_median_of_the_others():
    frame = make_frame().head(3).assign(flow=[10.0, 20.0, 40.0])

    result = derive(frame, COLUMNS)

    assert list(result["flow_vs_peers"]) == [10 - 30, 20 - 25, 40 - 15]


def test_a_machine_without_peers_has_no_deviation():
    frame = make_frame()

    result = derive(frame[on(frame, "a")], COLUMNS)

    assert result["flow_vs_peers"].isna().all()


def test_rows_around_midnight_have_peers_of_their_own_day_only():
    frame = make_frame(2)
    late = on(frame, "a", [23]) & (frame["timestamp"].dt.day == 1)
    frame.loc[late, "timestamp"] += pd.Timedelta(minutes=58)  # nearest to the next midnight

    result = derive(frame, COLUMNS)

    assert result.loc[late, "flow_vs_peers"].isna().all()
    assert result.loc[~late, "flow_vs_peers"].notna().all()


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(1, 7)),
        elements=st.one_of(st.floats(-100, 100), st.just(np.nan)),
    )
)
@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
def test_the_fast_median_equals_the_plain_one(grid):
    plain = np.column_stack(
        [np.nanmedian(np.delete(grid, place, axis=1), axis=1) for place in range(grid.shape[1])]
        if grid.shape[1] > 1
        else [np.full(len(grid), np.nan)]
    )

    assert np.allclose(median_of_others(grid), plain, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False, None], [True, False, False]),
        ([1, 0, np.nan], [True, False, False]),
        (["true", "no", "Yes"], [True, False, True]),
    ],
)
def test_a_mark_is_true_or_false_however_it_came(values, expected):
    frame = make_frame().head(3).assign(eval_incident=pd.Series(values, dtype=object))

    assert list(derive(frame, COLUMNS)["eval_incident"]) == expected


def test_evaluation_columns_may_be_absent():
    assert "eval_incident" not in derive(make_frame().drop(columns="eval_incident"), COLUMNS)


def test_an_absent_feature_is_named():
    with pytest.raises(DataError, match="no column flow; they have timestamp, pump, pressure"):
        derive(make_frame().drop(columns="flow"), COLUMNS)


def test_two_rows_of_one_machine_and_time_are_refused():
    frame = make_frame()

    with pytest.raises(DataError, match="share one entity and time"):
        derive(pd.concat([frame, frame.head(1)]), COLUMNS)
