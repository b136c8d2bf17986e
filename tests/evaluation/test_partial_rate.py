"""The rate of rows that lack a channel, measured by hiding each in turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.evaluation.partial_rate import partial_rates
from pipeline.scoring import score_rows
from tests.builders import make_spec, make_telemetry, stored_in
from tests.steps.pump_house import PumpHouse


@pytest.fixture
def bundle(tmp_path):
    return PumpHouse(replace(stored_in(tmp_path), cache=tmp_path), make_spec()).promote(1).bundle


def test_each_channel_is_hidden_in_turn_and_a_dull_one_changes_nothing(bundle):
    frame = make_telemetry(20, seed=9)

    found = partial_rates(bundle, frame, make_spec())

    assert found.rows == len(frame)
    assert found.whole == score_rows(bundle, frame).flagged.mean()
    assert {each.channel for each in found.without} == {"flow", "pressure", "angle"}
    rates = [each.rate for each in found.without]
    assert rates == sorted(rates, reverse=True)
    assert found.worst.rate == max(rates)
    assert found.mean == pytest.approx(sum(rates) / 3)
    assert found.worst.rate < 0.06


def test_rows_that_are_known_to_be_abnormal_are_not_counted(bundle):
    frame = make_telemetry(4, seed=9)
    frame["eval_incident"] = frame["pump"] == "a"

    assert partial_rates(bundle, frame, make_spec()).rows == len(frame) * 2 // 3


def test_where_a_row_needs_every_channel_none_can_be_partial(bundle):
    spec = make_spec(validation={"minimum_channels": 3})

    assert partial_rates(bundle, make_telemetry(2), spec) is None
