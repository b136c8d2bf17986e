"""What float32 cannot hold is refused by name, and never stored as infinite or as 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config.columns import stored_name
from pipeline.data.channels import channels, read, write
from pipeline.data.contract import validate_days
from pipeline.data.derive import derive
from pipeline.data.precision import resolution, too_large, too_small
from tests.builders import FIRST_DAY, ROWS_A_DAY, make_frame, make_spec, on


def pumps(**flow):
    """The pump farm with a flow that has no limits but those of `flow`."""
    features = make_spec().columns.model_dump(mode="json")["features"]
    return make_spec(schema={"features": {**features, "flow": {"unit": "l/s", **flow}}})


def raised(by, spread=1.0):
    frame = make_frame()
    return frame.assign(flow=by + spread * (frame["flow"] - frame["flow"].mean()))


@pytest.mark.parametrize("level", [1e9, -1e9, 1e12, 101325e3, 1_700_000_000.0, 1.7e13])
def test_a_small_signal_on_a_large_number_is_refused_with_the_offset_to_set(level):
    day = validate_days(raised(level), pumps(), [FIRST_DAY])[FIRST_DAY]

    assert day.report.rejected == {"lost_precision:flow": ROWS_A_DAY}
    message = day.report.reasons[0]
    assert "flow lies at" in message
    assert "float32 holds one number in" in message
    assert "set offset: " in message
    offset = float(message.split("set offset: ")[1].split(" ")[0])
    fixed = validate_days(raised(level), pumps(offset=offset), [FIRST_DAY])[FIRST_DAY]
    assert fixed.report.rejected == {}


@pytest.mark.parametrize("level", [1e9, -1e9, 0.0])
def test_with_an_offset_the_same_is_stored_as_without_a_large_number(level):
    plain = derive(raised(0.0), pumps().columns)
    spec = pumps(offset=level)
    column = stored_name("flow", level)

    held = derive(raised(level), spec.columns)

    assert column in held
    assert spec.columns.feature_columns[0] == column
    np.testing.assert_allclose(held[column], plain["flow"], atol=1e-5)
    np.testing.assert_allclose(held["flow_vs_peers"], plain["flow_vs_peers"], atol=1e-5)


@pytest.mark.parametrize(
    "values",
    [
        np.float32(1e9) + np.arange(24) * 64.0,  # what came as float32 lost nothing
        np.full(24, 1e9),
        np.full(24, 1e9) * (1 + 1e-16 * np.arange(24)),
        np.array([1e9, 1e9 + 1] * 12) * 0 + 7.3,
        np.random.default_rng(0).normal(101325, 200, 24),
        np.random.default_rng(0).normal(0, 1e-30, 24),
        np.random.default_rng(0).normal(0, 1e30, 24),
    ],
    ids=["float32", "constant", "noise of float64", "level", "pressure", "tiny", "huge"],
)
def test_what_float32_holds_well_enough_passes(values):
    assert resolution(np.asarray(values, dtype=np.float64), 0.0).enough


def test_each_machine_is_judged_by_itself():
    frame = make_frame()
    frame["flow"] = frame["flow"].mask(on(frame, "b"), 1e9 + frame["flow"])

    day = validate_days(frame, pumps(), [FIRST_DAY])[FIRST_DAY]

    (missing,) = day.report.missing
    assert (missing.entity, missing.rule, missing.cells) == ("b", "lost_precision", 24)


def test_a_row_that_is_rejected_anyway_has_no_say():
    frame = make_frame().assign(flow=lambda rows: 1e9 + rows["flow"])
    frame.loc[on(frame, "a", [3]), "flow"] = 3e38  # its spread would hide what the others lose
    spec = pumps(range=[0, 1e10])

    rejected = validate_days(frame, spec, [FIRST_DAY])[FIRST_DAY].report.rejected

    assert rejected == {"lost_precision:flow": ROWS_A_DAY - 1, "out_of_range:flow": 1}


@pytest.mark.parametrize(
    ("value", "rule", "message"),
    [
        (1e300, "not_finite", "flow is 1e+300 l/s; limit 3.4e+38"),
        (-4e38, "not_finite", "flow is -4e+38 l/s; limit 3.4e+38"),
        (1e-300, "too_small", "flow is 1e-300 l/s; limit 1.2e-38 or 0"),
        (-1e-46, "too_small", "flow is -1e-46 l/s; limit 1.2e-38 or 0"),
    ],
)
def test_a_value_that_float32_cannot_hold_is_missing_and_not_stored(value, rule, message):
    frame = make_frame()
    frame.loc[on(frame, "a", [3]), "flow"] = value

    day = validate_days(frame, pumps(), [FIRST_DAY])[FIRST_DAY]

    assert list(day.cells["rule"]) == [rule]
    assert message in day.cells["detail"].iloc[0]
    held = derive(day.accepted, pumps().columns)["flow"]
    assert not np.isinf(held).any()
    assert held.isna().sum() == 1
    assert (held != 0).all()


def test_a_channel_too_small_for_float32_names_another_unit():
    day = validate_days(raised(0.0, spread=1e-42), pumps(), [FIRST_DAY])[FIRST_DAY]

    assert day.report.verdict == "quarantined"
    assert "deliver flow in a smaller unit" in day.report.reasons[0]


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, 1e9, -7.5]))
def test_what_passes_is_stored_neither_infinite_nor_as_a_zero_that_it_is_not(value, offset):
    values = np.array([value])
    with np.errstate(over="ignore"):
        stored = (values - offset).astype(np.float32)

    assert too_large(values, offset)[0] == np.isinf(stored)[0]
    assert too_small(values, offset)[0] == (stored[0] == 0 and value - offset != 0)


def test_a_fault_is_planted_in_the_channels_own_units():
    columns = pumps(offset=1e9).columns
    channel = channels(columns)[0]
    rows = derive(raised(1e9), columns)[list(columns.feature_columns)].to_numpy(np.float32)
    before = rows.copy()

    write(channel, rows, read(channel, rows) + 5.0)

    assert channel.name == "flow"
    assert read(channel, before).mean() == pytest.approx(1e9)
    moved = rows[:, list(channel.columns)] - before[:, list(channel.columns)]
    np.testing.assert_allclose(moved, 5, rtol=1e-6)


@pytest.mark.parametrize(
    ("offset", "column"),
    [
        (0.0, "flow"),
        (1e9, "flow_minus_1000000000"),
        (-1e9, "flow_plus_1000000000"),
        (101325.5, "flow_minus_101325.5"),
        (5e22, "flow_minus_5e22"),
        (0.1, "flow_minus_0.1"),
    ],
)
def test_the_stored_column_carries_its_offset_in_its_name(offset, column):
    assert stored_name("flow", offset) == column
    assert pumps(offset=offset).columns.feature_columns[0] == column


def test_an_angle_and_an_infinite_number_are_no_offset():
    with pytest.raises(ValidationError, match="offset 90 of a circular channel"):
        pumps(offset=90, circular=True)
    with pytest.raises(ValidationError, match="finite"):
        pumps(offset=float("inf"))


def test_many_machines_are_looked_at_together():
    """Groups are summed up in one pass; each that is refused is reported with its own numbers."""
    frame = make_frame()
    levels = {"a": 1e9, "b": 0.0, "c": 5e9}
    frame["flow"] = frame["flow"] + frame["pump"].map(levels)

    cells = validate_days(frame, pumps(), [FIRST_DAY])[FIRST_DAY].cells

    message = cells[cells["rule"] == "lost_precision"].groupby("entity")["detail"].first()
    assert list(message.index) == ["a", "c"]
    assert "lies at 10000000" in message["a"]
    assert "lies at 50000000" in message["c"]
