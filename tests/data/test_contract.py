import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.contract import BLOCKED, Validated, validate_days
from pipeline.data.faults import RULES
from pipeline.data.grid import day_number
from pipeline.data.sources.shaping import FILED_DAY, TIME_FAULT, TIME_TEXT
from tests.builders import FIRST_DAY, ROWS_A_DAY, days, make_frame, make_spec, on

SPEC = make_spec()
WHOLE = make_spec(validation={"minimum_channels": 3})
"""A row that lacks any of its three channels is in quarantine."""


def judge(frame: pd.DataFrame, spec=SPEC) -> Validated:
    """The day, after others on which every channel has moved."""
    return validate_days(frame, spec, [FIRST_DAY], before=())[FIRST_DAY]


def rules(result: Validated) -> dict[str, int]:
    return result.report.rejected


def details(result: Validated) -> str:
    return "\n".join(result.rejected["detail"])


def test_a_healthy_day_is_accepted_whole():
    result = judge(make_frame())

    assert result.report.verdict == "validated"
    assert result.report.completeness == 1.0
    assert result.report.accepted == result.report.expected == ROWS_A_DAY
    assert result.rejected.empty


def test_accepted_rows_are_the_raw_rows():
    frame = make_frame()

    pd.testing.assert_frame_equal(judge(frame).accepted, frame)


def broken(column: str, value: object, hours=(3, 4)) -> pd.DataFrame:
    frame = make_frame()
    frame[column] = frame[column].astype(object).mask(on(frame, "a", hours), value)
    return frame


CELLS = [
    ("flow", "off", "wrong_type", "flow is 'off'; a number is needed"),
    ("flow", None, "missing_value", "flow is missing"),
    ("flow", np.inf, "not_finite", "flow is inf; limit: finite"),
    ("flow", 101, "out_of_range", "flow is 101 l/s; limit 0 to 100 l/s"),
    ("pressure", -0.1, "out_of_range", "pressure is -0.1 bar; limit 0 to 20 bar"),
]


@pytest.mark.parametrize(("column", "value", "rule", "detail"), CELLS)
def test_a_bad_value_costs_its_row_that_cell_alone(column, value, rule, detail):
    result = judge(broken(column, value))

    assert rules(result) == {}
    struck = on(result.accepted, "a", (3, 4))
    pd.testing.assert_frame_equal(
        result.accepted, make_frame().assign(**{column: make_frame()[column].mask(struck)})
    )
    assert result.report.partial == 2
    (missing,) = result.report.missing
    assert (missing.channel, missing.entity, missing.rule) == (column, "a", rule)
    assert (missing.cells, missing.first.hour, missing.last.hour) == (2, 3, 4)
    assert missing.detail.startswith(detail)
    assert result.report.verdict == "validated"


@pytest.mark.parametrize(("column", "value", "rule", "detail"), CELLS)
def test_a_bad_value_rejects_a_row_that_needs_every_channel(column, value, rule, detail):
    result = judge(broken(column, value), WHOLE)

    assert rules(result) == {f"{rule}:{column}": 2}
    assert f"{detail}; 2 of 3 channels are left; limit 3" in details(result)
    assert result.cells.empty
    assert len(result.accepted) == ROWS_A_DAY - 2


def test_the_record_of_a_missing_cell_keeps_the_row_as_it_came():
    frame = broken("flow", np.inf, hours=[3])
    frame["angle"] = frame["angle"].astype(object).mask(on(frame, "a", [3]), "north")

    result = judge(frame, make_spec(validation={"minimum_channels": 1}))

    assert list(zip(result.cells["feature"], result.cells["rule"], strict=True)) == [
        ("angle", "wrong_type"),
        ("flow", "not_finite"),
    ]
    (text,) = result.cells["row"].dropna()
    assert json.loads(text)["flow"] == "inf"
    assert json.loads(text)["angle"] == "north"
    assert result.report.partial == 1


def test_a_row_without_any_judged_channel_is_rejected_however_few_it_may_keep():
    schema = SPEC.columns.model_dump(mode="json", exclude_unset=True)
    schema["features"]["angle"]["context"] = True
    frame = broken("flow", None, hours=[3])
    frame.loc[on(frame, "a", [3]), "pressure"] = -1

    spec = make_spec(schema=schema | {"derived": []}, validation={"minimum_channels": 1})

    assert "no channel that is judged is left; limit 1" in details(judge(frame, spec))


@pytest.mark.parametrize(
    ("column", "value", "rule", "detail"),
    [
        ("eval_incident", "ja", "unreadable_mark:eval_incident", "eval_incident is 'ja'; limit"),
        ("eval_incident", 0.5, "unreadable_mark:eval_incident", "eval_incident is 0.5; limit"),
        ("pump", "d", "unknown_entity", "pump is 'd'; known: a, b, c"),
        ("pump", None, "unknown_entity", "pump is None; known: a, b, c"),
    ],
)
def test_a_bad_mark_or_name_rejects_its_row_and_no_other(column, value, rule, detail):
    result = judge(broken(column, value))

    assert rules(result) == {rule: 2}
    assert detail in details(result)
    assert result.report.verdict == "validated"
    assert len(result.accepted) == ROWS_A_DAY - 2


def test_marks_that_nobody_can_read_block_a_day_and_name_the_spellings():
    result = judge(broken("eval_incident", "X", hours=range(24)))

    assert result.report.verdict == "quarantined"
    assert "deliver eval_incident as true or false (true/false, yes/no" in result.report.reasons[0]


def test_the_limits_of_a_range_belong_to_it():
    assert not judge(broken("flow", 100)).report.missing


def test_a_row_without_any_measurement_counts_as_not_delivered():
    frame = make_frame()
    frame.loc[on(frame, "a", range(12)), ["flow", "pressure", "angle"]] = np.nan

    result = judge(frame, make_spec(validation={"maximum_rejected": 0.0}))

    assert rules(result) == {"no_measurement": 12}
    assert result.report.completeness == pytest.approx(60 / 72)
    assert result.report.verdict == "validated"


def test_a_row_of_another_day_is_rejected():
    result = judge(make_frame(2))

    assert rules(result)["outside_day"] == ROWS_A_DAY


def test_a_row_off_the_cadence_is_rejected_unless_tolerated():
    frame = make_frame()
    frame.loc[on(frame, "a", [3]), "timestamp"] += pd.Timedelta(minutes=6)

    assert rules(judge(frame)) == {"off_grid": 1}
    assert rules(judge(frame, make_spec(validation={"cadence_tolerance": 0.1}))) == {}


def test_a_doubtful_time_is_rejected_with_its_reason():
    frame = make_frame()
    frame[TIME_FAULT] = pd.Series("happened twice", index=frame.index).where(on(frame, "b", [2]))

    result = judge(frame)

    assert rules(result) == {"unusable_time": 1}
    assert "happened twice" in details(result)
    assert TIME_FAULT not in result.accepted


def test_a_row_without_a_time_is_rejected_and_shown_as_it_came():
    frame = make_frame()
    frame.loc[5, "timestamp"] = pd.NaT
    frame[TIME_FAULT] = pd.Series("no time", index=frame.index).where(frame.index == 5)
    frame[TIME_TEXT] = pd.Series("noon", index=frame.index).where(frame.index == 5)
    frame[FILED_DAY] = np.where(frame.index == 5, float(day_number(FIRST_DAY)), np.nan)

    result = judge(frame)

    assert rules(result) == {"unusable_time": 1}
    assert result.report.delivered == ROWS_A_DAY
    assert pd.isna(result.rejected["timestamp"].item())
    assert json.loads(result.rejected["row"].item())["timestamp"] == "noon"


def test_a_row_that_its_source_filed_under_the_day_belongs_to_another():
    frame = make_frame()
    frame.loc[:9, "timestamp"] = pd.Timestamp("1970-01-01T00:00Z")
    frame[FILED_DAY] = np.where(frame.index < 10, float(day_number(FIRST_DAY)), np.nan)

    result = judge(frame)

    assert rules(result) == {"outside_day": 10}
    assert "1970-01-01 00:00:00+00:00 is not in the day" in details(result)


def test_times_are_no_measurements():
    frame = make_frame()
    frame["flow"] = frame["timestamp"]

    assert rules(judge(frame, WHOLE)) == {"wrong_type:flow": ROWS_A_DAY}


def test_identical_rows_are_kept_once_and_never_block_a_day():
    result = judge(pd.concat([make_frame()] * 3))

    assert rules(result) == {"duplicate": 2 * ROWS_A_DAY}
    assert result.report.verdict == "validated"


def test_of_conflicting_rows_the_one_without_fault_stays():
    frame = make_frame()
    other = frame[on(frame, "a", [3, 4])].assign(flow=[31.0, 999.0])

    result = judge(pd.concat([other, frame]))

    assert rules(result) == {"conflicting_duplicate": 2}
    assert 999.0 not in set(result.accepted["flow"])


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(random):
    frame = make_frame()
    frame.loc[on(frame, "c", [7]), "flow"] = 400
    frame = pd.concat([frame, frame[on(frame, "a", [3, 4])].assign(flow=31.0), frame.head(3)])
    order = list(range(len(frame)))
    random.shuffle(order)

    shuffled, straight = judge(frame.iloc[order]), judge(frame)

    pd.testing.assert_frame_equal(shuffled.accepted, straight.accepted)
    assert shuffled.report == straight.report
    assert sorted(shuffled.rejected["row"]) == sorted(straight.rejected["row"])


def test_a_stuck_sensor_is_missing_with_all_its_run():
    frame = make_frame()
    frame.loc[on(frame, "a", range(4, 11)), "flow"] = 33.3

    result = judge(frame)

    (missing,) = result.report.missing
    assert (missing.rule, missing.cells, missing.first.hour) == ("stuck_sensor", 7, 4)
    assert missing.detail == "flow stays at 33.3 l/s for 7 rows; limit 5 h"
    assert result.accepted["flow"].isna().sum() == 7
    assert rules(judge(frame, WHOLE)) == {"stuck_sensor:flow": 7}


def test_a_run_no_longer_than_the_limit_is_not_stuck():
    frame = make_frame()
    frame.loc[on(frame, "a", range(4, 10)), "flow"] = 33.3

    assert not judge(frame).report.missing


def test_a_gap_ends_a_stuck_run():
    frame = make_frame()
    frame.loc[on(frame, "a", range(4, 14)), "flow"] = 33.3

    assert not judge(frame[~on(frame, "a", [9])]).report.missing


def test_a_sensor_constant_all_day_is_missing_unless_it_may_rest():
    frame = make_frame()
    frame.loc[on(frame, "a"), ["pressure", "angle"]] = 1.0

    (missing,) = judge(frame).report.missing

    assert (missing.channel, missing.rule, missing.cells) == ("pressure", "constant_sensor", 24)


def test_rows_with_too_few_peers_are_rejected():
    frame = make_frame()
    alone = frame["timestamp"].dt.hour.isin([5]) & (frame["pump"] != "a")

    result = judge(frame[~alone])

    assert rules(result) == {"too_few_peers": 1}
    assert "0 other machines have a fit row; limit 1" in details(result)


@pytest.mark.parametrize(
    ("factor", "offset"), [(1 / 60, 0), (1.8, 32)], ids=["per minute", "degrees F"]
)
def test_a_change_of_unit_is_recognised_by_the_days_median(factor, offset):
    frame = make_frame()
    frame["flow"] = frame["flow"] * factor + offset

    result = judge(frame)

    assert result.report.verdict == "quarantined"
    assert "implausible_day:flow" in rules(result)
    assert "implausible day flow on all 3 machines (the day's median" in (result.report.reasons[0])
    assert "check the unit of flow" in result.report.reasons[0]
    assert result.cells.empty


def test_a_change_of_unit_of_one_machine_costs_that_channel_alone():
    frame = make_frame()
    frame.loc[on(frame, "b"), "flow"] /= 60

    result = judge(frame)

    assert result.report.verdict == "validated"
    assert {(each.channel, each.entity, each.rule) for each in result.report.missing} == {
        ("flow", "b", "implausible_day")
    }


def test_a_storm_of_a_few_hours_on_all_machines_blocks_nothing():
    frame = make_frame()
    frame.loc[frame["timestamp"].dt.hour < 4, "flow"] = 130.0

    result = judge(frame)

    assert result.report.verdict == "validated"
    assert result.report.partial == 12


def test_a_unit_that_only_the_range_betrays_blocks_the_day_by_name():
    frame = make_frame()
    frame["pressure"] *= 14.5  # psi

    (reason,) = judge(frame).report.reasons

    assert "out of range pressure on all 3 machines" in reason


def test_one_machine_alone_cannot_tell_its_unit_from_its_sensor():
    frame = make_frame()
    frame["flow"] /= 60
    one = frame[frame["pump"] == "a"].drop(columns="pump")
    spec = make_spec(schema={"entity": None, "entities": [], "derived": []})

    result = judge(one, spec)

    assert result.report.verdict == "validated"
    assert {each.entity for each in result.report.missing} == {""}


def test_a_day_with_half_its_rows_is_blocked_and_the_gaps_are_named():
    frame = make_frame()

    result = judge(frame[frame["timestamp"].dt.hour < 12])

    assert result.report.verdict == "quarantined"
    assert result.accepted.empty
    (reason,) = result.report.reasons
    assert "36 of 72 expected rows came with a measurement (50%)" in reason
    assert "a 12:00 to 23:00 (12 rows), b 12:00" in reason
    assert "limit 80%: have the source deliver the rest" in reason


def test_a_machine_that_sent_nothing_is_named():
    frame = make_frame()

    result = judge(frame[frame["pump"] != "b"])

    assert "missing b 00:00 to 23:00 (24 rows)" in result.report.reasons[0]


def test_a_day_with_too_many_bad_rows_is_blocked_with_value_limit_and_fix():
    frame = make_frame()
    frame.loc[on(frame, "b"), "flow"] = 33.3

    result = judge(frame, WHOLE)

    (reason,) = result.report.reasons
    assert reason == (
        "rejected 24 of 72 rows (33%): stuck sensor flow on b (24 rows); limit 20%: repair the "
        "sensor of flow, or raise its stuck_after, then ingest the day again"
    )


def test_all_rows_of_a_blocked_day_go_to_quarantine_with_a_rule():
    frame = make_frame()
    frame.loc[on(frame, "b"), "flow"] = 33.3

    result = judge(frame, WHOLE)

    assert rules(result) == {BLOCKED: 48, "stuck_sensor:flow": 24}
    assert len(result.rejected) == ROWS_A_DAY


def test_a_missing_column_blocks_the_day_by_name():
    result = judge(make_frame().drop(columns=["flow", "angle"]))

    assert rules(result) == {BLOCKED: ROWS_A_DAY}
    assert "column flow, angle is missing" in result.report.reasons[0]
    assert "source.rename" in result.report.reasons[0]


def test_a_day_without_rows_is_empty_and_not_blocked():
    result = judge(make_frame().head(0))

    assert result.report.verdict == "empty"
    assert result.report.expected == ROWS_A_DAY
    assert result.report.reasons == ("the source delivered nothing for this day",)


def test_a_rejected_row_is_kept_whole():
    result = judge(broken("flow", np.inf, hours=[3]), WHOLE)

    (row,) = result.rejected.itertuples()
    kept = json.loads(row.row)
    assert (row.entity, row.timestamp.hour) == ("a", 3)
    assert kept["flow"] == "inf"
    assert set(kept) == set(make_frame())


def test_detectors_without_entities_are_judged_as_one_machine():
    schema = {"entity": None, "entities": [], "derived": []}
    spec = make_spec(schema=schema)
    frame = make_frame()
    one = frame[frame["pump"] == "a"].drop(columns="pump")

    assert judge(one, spec).report.verdict == "validated"
    assert judge(one.head(12), spec).report.reasons[0].startswith("12 of 24 expected rows")


def test_without_named_entities_those_of_the_day_are_expected():
    spec = make_spec(schema={"entities": []})
    frame = make_frame()

    result = judge(frame[frame["pump"] != "c"], spec)

    assert result.report.expected == 48
    assert result.report.verdict == "validated"


def test_many_days_at_once_are_judged_as_each_alone():
    frame = make_frame(4)
    first, second, _, fourth = days(4)
    date = frame["timestamp"].dt.date
    frame.loc[on(frame, "a", range(20, 24)) & (date == first), "flow"] = 33.3
    frame.loc[on(frame, "a", range(4)) & (date == second), "flow"] = 33.3
    frame = frame[(date != fourth) | (frame["timestamp"].dt.hour < 12)]

    together = validate_days(frame, SPEC, days(4), before=())

    for day, result in together.items():
        rows = frame[frame["timestamp"].dt.date == day]
        alone = validate_days(rows, SPEC, [day], before=())[day]
        assert result.report == alone.report
        pd.testing.assert_frame_equal(result.accepted, alone.accepted)
        pd.testing.assert_frame_equal(result.rejected, alone.rejected)
        pd.testing.assert_frame_equal(result.cells, alone.cells)


def test_a_row_just_before_midnight_is_judged_alike_with_and_without_the_next_day():
    spec = make_spec(validation={"cadence_tolerance": 0.1})
    frame = make_frame(2)
    late = on(frame, "a", [23]) & (frame["timestamp"].dt.date == FIRST_DAY)
    frame.loc[late, "timestamp"] += pd.Timedelta(minutes=58)

    together = validate_days(frame, spec, days(2), before=())

    for day, result in together.items():
        rows = frame[frame["timestamp"].dt.date == day]
        alone = validate_days(rows, spec, [day], before=())[day]
        assert result.report == alone.report
        pd.testing.assert_frame_equal(result.accepted, alone.accepted)


def test_days_in_any_order_each_get_their_own_rows():
    together = validate_days(make_frame(3), SPEC, days(3)[::-1])

    for day, result in together.items():
        assert set(result.accepted["timestamp"].dt.date) == {day}


def test_every_rule_has_a_fix():
    assert all(fix.strip() for fix in RULES.values())


@given(
    st.lists(
        st.tuples(
            st.integers(0, ROWS_A_DAY - 1),
            st.sampled_from(["flow", "pressure", "angle", "pump", "timestamp"]),
            st.sampled_from([np.nan, np.inf, -5.0, 1e9, "x", None]),
        ),
        max_size=12,
    )
)
def test_each_delivered_row_ends_up_accepted_or_rejected_exactly_once(faults):
    frame = make_frame().astype({"flow": object, "pressure": object, "angle": object})
    for row, column, value in faults:
        if column == "timestamp":
            frame.loc[row, "timestamp"] += pd.Timedelta(minutes=17)
        else:
            frame.loc[row, column] = value

    result = judge(frame)

    measured = result.accepted[["flow", "pressure", "angle"]]
    assert result.report.delivered == len(result.accepted) + len(result.rejected) == len(frame)
    assert sum(result.report.rejected.values()) == len(result.rejected)
    assert not np.isinf(measured.to_numpy()).any()
    assert int(measured.isna().to_numpy().sum()) == len(result.cells)
    assert result.report.partial == int(measured.isna().any(axis=1).sum())
    assert sum(each.cells for each in result.report.missing) == len(result.cells)
