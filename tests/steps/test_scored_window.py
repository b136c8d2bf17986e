"""The scored rows of a window, on real tables and a real bundle."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from pipeline.data.label import Label
from pipeline.steps.scored_window import ScoredWindow, read_window, window_rows
from pipeline.store.labels import add_labels
from tests.builders import ROWS_A_DAY, moment
from tests.steps.asked import put_incident
from tests.steps.pump_house import EIGHT_DAYS, PumpHouse

AS_OF = moment(EIGHT_DAYS[-1] + timedelta(days=1))


def window(house: PumpHouse, *, same_weights: frozenset[int] = frozenset({1})) -> ScoredWindow:
    live = house.by_alias("pumps", "champion")
    return read_window(
        house.here, house.spec, live, EIGHT_DAYS, as_of=AS_OF, same_weights=same_weights
    )


def test_days_that_these_weights_scored_are_read_and_the_others_are_scored(filled):
    nothing = window(filled)
    filled.score(*EIGHT_DAYS[:5])

    some, others = window(filled), window(filled, same_weights=frozenset({7}))

    assert nothing.rescored == others.rescored == tuple(EIGHT_DAYS)
    assert some.rescored == tuple(EIGHT_DAYS[5:])
    assert len(some.frame) == 8 * ROWS_A_DAY
    assert nothing.digest == some.digest == others.digest


def test_reading_a_window_writes_no_score(filled):
    window(filled)

    assert filled.rows("scores").empty


def test_a_label_counts_if_it_was_made_before_the_window_was_asked_for(filled):
    start = moment(EIGHT_DAYS[2], 4)
    for hours, made in ((5, AS_OF + timedelta(seconds=1)), (2, AS_OF - timedelta(seconds=1))):
        span = (start, start + timedelta(hours=hours))
        add_labels(filled.here, "pumps", [Label(*span, "a", "incident", "", "ada", made)])

    found = window(filled)

    assert [label.end for label in found.labels] == [start + timedelta(hours=2)]
    marked = found.frame[found.frame["verdict"] != 0]
    assert list(marked["entity"]) == ["a"] * 3
    assert list(marked["timestamp"].dt.hour) == [4, 5, 6]


def test_rows_with_a_channel_that_left_its_range_are_excluded(filled):
    filled.score(*EIGHT_DAYS)

    frame = window(filled).frame
    rows = window_rows(frame, filled.spec)

    out = frame[frame["excluded"]]
    assert set(out["entity"]) == {"c"}
    assert out["timestamp"].min() >= moment(EIGHT_DAYS[6], 14)
    assert len(out) > ROWS_A_DAY / 3
    np.testing.assert_array_equal(rows.excluded, frame["excluded"])
    np.testing.assert_array_equal(rows.timeline.time_ns, frame["timestamp"].astype("int64"))


def test_rows_during_a_raised_shift_are_excluded_though_they_are_not_muted(
    filled,
):
    for day, status in ((1, "raised"), (3, "withdrawn")):
        start = moment(EIGHT_DAYS[day], 3)
        put_incident(filled.here, start, entity="b", kind="shifted feature", status=status)

    frame = window(filled).frame

    out = frame[frame["excluded"] & frame["entity"].eq("b")]
    assert list(out["timestamp"]) == [moment(EIGHT_DAYS[1], hour) for hour in (3, 4, 5)]
