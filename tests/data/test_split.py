from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.split import Blocks, rows_for, split
from pipeline.errors import DataError, SplitReuseError
from tests.builders import FIRST_DAY, make_spec, make_telemetry

METHODS = st.sampled_from(["interleaved_days", "contiguous"])
PARTS = st.integers(1, 4)


def specified(method="interleaved_days", train=4, calibration=1, test=1, length=1):
    shares = {"method": method, "train": train, "calibration": calibration, "test": test}
    return make_spec(split=shares, window={"length": length})


def frames(blocks: Blocks) -> dict[str, pd.DataFrame]:
    return {b.role: b.frame for b in (blocks.train, blocks.calibration, blocks.test)}


@given(METHODS, PARTS, PARTS, PARTS, st.integers(1, 5), st.integers(0, 400))
def test_no_row_is_in_two_blocks_and_no_day_is_shared(
    method, train, calibration, test, length, offset
):
    spec = specified(method, train, calibration, test, length)
    frame = make_telemetry(14, first_day=FIRST_DAY + timedelta(days=offset))

    blocks = frames(split(frame, spec))

    keys = [set(zip(b["timestamp"], b["pump"], strict=True)) for b in blocks.values()]
    days = [set(b["timestamp"].dt.date) for b in blocks.values()]
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        assert not keys[a] & keys[b]
        assert not days[a] & days[b]


@given(METHODS, st.integers(2, 20))
def test_windows_of_two_blocks_are_at_least_a_window_apart(method, length):
    blocks = frames(split(make_telemetry(14), specified(method, length=length)))

    moments = pd.concat(
        [pd.Series(role, index=b["timestamp"].unique()) for role, b in blocks.items()]
    ).sort_index()
    apart = moments.index.to_series().diff()[moments != moments.shift()].dropna()
    assert (apart > timedelta(hours=length)).all()


@given(METHODS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_role(method, random):
    frame = make_telemetry(12)
    order = list(range(len(frame)))
    random.shuffle(order)

    straight, shuffled = (frames(split(f, specified(method))) for f in (frame, frame.iloc[order]))

    for role, block in straight.items():
        expected = block.sort_values(["timestamp", "pump"], ignore_index=True)
        found = shuffled[role].sort_values(["timestamp", "pump"], ignore_index=True)
        pd.testing.assert_frame_equal(found, expected)


def test_a_day_keeps_its_role_when_the_window_moves_on():
    spec = specified()
    early = frames(split(make_telemetry(20), spec))
    late = frames(split(make_telemetry(20, first_day=FIRST_DAY + timedelta(days=5)), spec))

    for role in early:
        days = set(early[role]["timestamp"].dt.date)
        other_roles = set().union(
            *(set(b["timestamp"].dt.date) for r, b in late.items() if r != role)
        )
        assert not days & other_roles


def test_the_parts_share_out_the_days():
    blocks = frames(split(make_telemetry(12), specified()))

    assert {role: b["timestamp"].dt.date.nunique() for role, b in blocks.items()} == {
        "train": 8,
        "calibration": 2,
        "test": 2,
    }


def test_contiguous_blocks_follow_one_another():
    blocks = frames(split(make_telemetry(12), specified("contiguous")))

    assert blocks["train"]["timestamp"].max() < blocks["calibration"]["timestamp"].min()
    assert blocks["calibration"]["timestamp"].max() < blocks["test"]["timestamp"].min()


def test_only_the_test_block_keeps_rows_that_are_not_normal():
    frame = make_telemetry(12)
    frame["eval_incident"] = frame["timestamp"].dt.hour == 3

    blocks = frames(split(frame, specified()))

    assert not blocks["train"]["eval_incident"].any()
    assert not blocks["calibration"]["eval_incident"].any()
    assert blocks["test"]["eval_incident"].any()


def test_an_empty_block_is_refused_with_the_fix():
    with pytest.raises(DataError, match=r"The \w+ block of 144 rows would be empty; lengthen"):
        split(make_telemetry(2), specified())


def test_a_block_serves_its_own_purpose_only():
    blocks = split(make_telemetry(12), specified())

    assert rows_for(blocks.train, "train") is blocks.train.frame
    with pytest.raises(SplitReuseError, match=r"train block .* offered for calibration"):
        rows_for(blocks.train, "calibration")


@pytest.mark.parametrize("nothing", [None, np.nan, ""])
def test_a_row_of_which_nobody_said_anything_is_normal(nothing):
    frame = make_telemetry(12)
    hours = frame["timestamp"].dt.hour
    frame["eval_incident"] = pd.Series("N", index=frame.index, dtype=object)
    frame["eval_incident"] = frame["eval_incident"].mask(hours == 3, nothing).mask(hours == 4, "Y")

    blocks = frames(split(frame, specified()))

    assert (blocks["train"]["timestamp"].dt.hour == 3).any()
    assert (blocks["train"]["timestamp"].dt.hour != 4).all()


def test_a_mark_that_is_neither_true_nor_false_stops_the_split():
    frame = make_telemetry(12).assign(eval_incident="outage")

    with pytest.raises(DataError, match="Column eval_incident holds 'outage' in 864 of 864 rows"):
        split(frame, specified())


def test_only_a_threshold_with_labels_keeps_incidents_in_the_calibration_block():
    frame = make_telemetry(14)
    frame["eval_incident"] = frame["timestamp"].dt.hour == 3

    plain, labelled = (
        split(frame, make_spec(threshold={"method": method}))
        for method in ("conformal", "cost_weighted")
    )

    assert not plain.calibration.frame["eval_incident"].any()
    assert labelled.calibration.frame["eval_incident"].any()
    assert not labelled.train.frame["eval_incident"].any()
    assert labelled.test.frame.equals(plain.test.frame)


def test_a_threshold_with_labels_keeps_no_other_abnormal_rows():
    frame = make_telemetry(14).assign(eval_curtailed=False)
    frame.loc[frame["timestamp"].dt.hour == 5, "eval_curtailed"] = True
    spec = make_spec(
        threshold={"method": "cost_weighted"},
        schema={
            "evaluation_only": ["eval_incident", "eval_curtailed"],
            "exclude_from_training": ["eval_incident", "eval_curtailed"],
        },
    )

    assert not split(frame, spec).calibration.frame["eval_curtailed"].any()
