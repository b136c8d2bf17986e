from datetime import datetime, timedelta

import pytest

from pipeline.data.decision import ChannelDecision
from pipeline.errors import DataError
from pipeline.store.decisions import add_decision, decisions_as_of
from tests.builders import days, make_spec, moment, stored_in

SPEC = make_spec()
DAY, NEXT, LATER = days(3)


def make_decision(**changes):
    default = {
        "channel": "flow",
        "entity": "a",
        "decision": "mute",
        "since": moment(DAY),
        "note": "sensor loose",
        "author": "ann",
        "created_at": moment(NEXT, 9),
    }
    return ChannelDecision(**{**default, **changes})


def test_decisions_are_read_oldest_first_and_none_is_erased(root):
    muted = make_decision()
    undone = make_decision(decision="unmute", entity=None, created_at=moment(NEXT, 10))
    add_decision(stored_in(root), SPEC, undone)
    add_decision(stored_in(root), SPEC, muted)

    assert decisions_as_of(stored_in(root), "pumps", moment(LATER)) == (
        muted,
        undone,
    )


def test_a_decision_is_not_known_before_it_was_made(tmp_path):
    add_decision(stored_in(tmp_path), SPEC, make_decision())

    before = make_decision().created_at - timedelta(microseconds=1)
    assert decisions_as_of(stored_in(tmp_path), "pumps", before) == ()


def test_a_decision_that_is_on_record_is_not_written_twice(tmp_path):
    assert add_decision(stored_in(tmp_path), SPEC, make_decision())
    assert not add_decision(stored_in(tmp_path), SPEC, make_decision())
    assert len(decisions_as_of(stored_in(tmp_path), "pumps", moment(LATER))) == 1


def test_a_decision_may_lie_ahead(tmp_path):
    ahead = make_decision(since=moment(LATER))

    assert add_decision(stored_in(tmp_path), SPEC, ahead)


@pytest.mark.parametrize("channel", ["flow_vs_peers", "angle_sin", "nothing"])
def test_what_is_no_channel_is_refused_and_the_channels_are_named(tmp_path, channel):
    refusal = f"no channel '{channel}'; choose from flow, pressure, angle"
    with pytest.raises(DataError, match=refusal):
        add_decision(stored_in(tmp_path), SPEC, make_decision(channel=channel))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decision": "ignore"}, "decision 'ignore' is unknown; write one of"),
        ({"author": ""}, "author is empty"),
        ({"since": datetime(2024, 1, 1)}, "since 2024-01-01T00:00:00 has no time zone"),  # noqa: DTZ001 - what is refused
    ],
)
def test_an_impossible_decision_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        make_decision(**changes)
