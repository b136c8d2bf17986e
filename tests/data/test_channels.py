from __future__ import annotations

import pytest

from pipeline.config import Columns
from pipeline.data.channels import channels, channels_as_cell, channels_of_cell

UNIT = {"unit": "1"}


def held(**schema):
    columns = Columns.model_validate({"cadence": "1h", "entity": "m", **schema})
    names = columns.feature_columns
    return {each.name: [names[at] for at in each.columns] for each in channels(columns)}


def test_a_channel_holds_what_is_made_of_it():
    features = {"x": UNIT, "yaw": {"unit": "deg", "circular": True}}

    assert held(features=features, derived=[{"kind": "peer_deviation", "of": ["x"]}]) == {
        "x": ["x", "x_vs_peers"],
        "yaw": ["yaw_sin", "yaw_cos"],
    }


def test_a_column_of_the_source_that_is_called_like_a_deviation_is_its_own_channel():
    assert held(features={"x": UNIT, "x_vs_peers": UNIT}) == {
        "x": ["x"],
        "x_vs_peers": ["x_vs_peers"],
    }


@pytest.mark.parametrize(
    "names",
    [[], ["flow"], ["flow", "load"], ["speed, m/s", "load"], ['say "x"'], ['"a', "b"], ["'"]],
)
def test_channels_of_a_cell_come_back(names):
    assert channels_of_cell(channels_as_cell(names)) == names


def test_a_cell_of_plain_names_is_what_it_always_was():
    assert channels_as_cell(["flow", "oil 2", "yaw"]) == "flow,oil 2,yaw"
    assert channels_of_cell("flow, load") == ["flow", "load"]
