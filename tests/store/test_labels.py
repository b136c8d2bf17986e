from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.label import INCIDENT, NO_VERDICT, NORMAL, Label, verdicts
from pipeline.data.timeline import timeline_from
from pipeline.errors import DataError
from pipeline.store.labels import add_labels, labels_as_of
from tests.builders import days, make_frame, make_spec, moment, on, stored_in

COLUMNS = make_spec().columns
DAY, NEXT, LATER = days(3)
FRAME = make_frame(2)


def make_label(**changes):
    """Pump a was broken from 3 to 5 o'clock on the first day, said the next day."""
    said = {
        "start": moment(DAY, 3),
        "end": moment(DAY, 5),
        "entity": "a",
        "verdict": "incident",
        "note": "bearing",
        "author": "ann",
        "created_at": moment(NEXT, 9),
    }
    return Label(**{**said, **changes})


def codes(*labels, frame=FRAME):
    return pd.Series(verdicts(timeline_from(frame, COLUMNS), labels), index=frame.index)


def test_what_was_said_can_be_read_again(root):
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    labels = [
        make_label(),
        make_label(entity=None, note="", created_at=datetime(2024, 1, 2, 16, 0, 0, 7, elsewhere)),
    ]

    assert add_labels(stored_in(root), "pumps", labels) == 2

    assert labels_as_of(stored_in(root), "pumps", moment(LATER)) == tuple(labels)


def test_a_label_that_is_on_record_is_not_written_twice(tmp_path):
    other = make_label(verdict="normal")
    add_labels(stored_in(tmp_path), "pumps", [make_label()])

    assert add_labels(stored_in(tmp_path), "pumps", [make_label(), other, other]) == 1
    assert len(labels_as_of(stored_in(tmp_path), "pumps", moment(LATER))) == 2


def test_nothing_said_after_the_as_of_moment_is_known(tmp_path):
    add_labels(stored_in(tmp_path), "pumps", [make_label()])
    before = make_label().created_at - timedelta(microseconds=1)

    assert labels_as_of(stored_in(tmp_path), "pumps", before) == ()
    assert labels_as_of(stored_in(tmp_path), "pumps", make_label().created_at) == (make_label(),)


def test_labels_come_oldest_first_and_an_overruled_one_stays(tmp_path):
    first, second = make_label(), make_label(verdict="normal", created_at=moment(NEXT, 10))
    add_labels(stored_in(tmp_path), "pumps", [second])
    add_labels(stored_in(tmp_path), "pumps", [first])

    assert labels_as_of(stored_in(tmp_path), "pumps", moment(LATER)) == (first, second)


def test_only_labels_that_touch_the_days_are_read(tmp_path):
    over_midnight = make_label(start=moment(DAY, 22), end=moment(NEXT, 2))
    add_labels(stored_in(tmp_path), "pumps", [make_label(), over_midnight])

    def touching(first, last):
        return labels_as_of(
            stored_in(tmp_path),
            "pumps",
            moment(LATER),
            first=first,
            last=last,
        )

    assert touching(DAY, DAY) == (make_label(), over_midnight)
    assert touching(NEXT, LATER) == (over_midnight,)
    assert touching(LATER, LATER) == ()


def test_labels_that_were_made_before_the_days_are_not_opened(tmp_path):
    at_once = make_label(start=moment(NEXT, 3), end=moment(NEXT, 5), created_at=moment(NEXT, 5))
    before = make_label(created_at=moment(DAY, 5))
    add_labels(stored_in(tmp_path), "pumps", [at_once, before])
    for file in (tmp_path / "pumps" / "labels" / f"date={DAY}").iterdir():
        file.unlink()

    found = labels_as_of(stored_in(tmp_path), "pumps", moment(LATER), first=NEXT, last=LATER)

    assert found == (at_once,)


def test_a_verdict_covers_both_ends_of_its_span_and_one_machine():
    found = codes(make_label())

    first_day = FRAME["timestamp"].dt.date == DAY
    expected = on(FRAME, "a", [3, 4, 5]) & first_day
    assert (found == INCIDENT).equals(expected)
    assert (found[~expected] == NO_VERDICT).all()


def test_a_label_without_a_machine_is_about_all_of_them():
    found = codes(make_label(entity=None))

    assert set(FRAME.loc[found == INCIDENT, "pump"]) == {"a", "b", "c"}


def test_the_later_verdict_counts_where_two_overlap():
    later = make_label(start=moment(DAY, 5), verdict="normal", created_at=moment(NEXT, 10))

    found = codes(make_label(), later)

    assert list(found[on(FRAME, "a", [3, 4, 5])][:3]) == [INCIDENT, INCIDENT, NORMAL]


def test_of_two_verdicts_of_one_moment_the_cautious_one_counts():
    found = codes(make_label(), make_label(verdict="normal"))

    assert NORMAL not in set(found)


def test_a_label_about_a_machine_that_is_not_there_says_nothing():
    assert not codes(make_label(entity="z")).any()


@given(st.permutations(range(4)), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_labels_changes_no_verdict(order, random):
    labels = [
        make_label(),
        make_label(verdict="normal", start=moment(DAY, 4), created_at=moment(NEXT, 10)),
        make_label(entity=None, end=moment(DAY, 12), created_at=moment(NEXT, 8)),
        make_label(entity="b", verdict="normal", created_at=moment(NEXT, 7)),
    ]
    shuffled = FRAME.sample(frac=1, random_state=random.randrange(100))

    found = codes(*(labels[n] for n in order), frame=shuffled)

    pd.testing.assert_series_equal(found.sort_index(), codes(*labels))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": moment(DAY, 2)}, r"end 2024-01-01 02:00.* before start 2024-01-01 03.*swap"),
        ({"start": datetime(2024, 1, 1, 3)}, "start 2024-01-01T03:00:00 has no time zone; write"),  # noqa: DTZ001 - what is refused
        (
            {"end": moment(LATER)},
            r"end 2024-01-03 .* after 2024-01-02 09:00.* End the span",
        ),
        ({"verdict": "maybe"}, "verdict 'maybe' is unknown; write one of"),
        ({"author": " "}, "author is empty; a verdict needs a person"),
    ],
)
def test_an_impossible_label_is_refused_with_value_limit_and_fix(changes, message):
    with pytest.raises(DataError, match=message):
        make_label(**changes)


def test_an_as_of_moment_without_a_zone_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"as_of .* has no time zone"):
        labels_as_of(stored_in(tmp_path), "pumps", datetime(2024, 1, 1))  # noqa: DTZ001 - what is refused


def test_the_run_that_carried_a_label_is_kept(tmp_path):
    carried = replace(make_label(), run_id="pumps__label/manual__1")
    add_labels(stored_in(tmp_path), "pumps", [carried])

    (found,) = labels_as_of(stored_in(tmp_path), "pumps", datetime.now(UTC))

    assert found.run_id == "pumps__label/manual__1"


def withdrawn(**changes):
    return make_label(verdict="withdrawn", created_at=moment(LATER), **changes)


def test_an_incident_that_is_taken_back_leaves_what_was_said_before():
    normal = make_label(verdict="normal", entity=None, created_at=moment(NEXT))

    assert set(codes(make_label(), withdrawn())) == {NO_VERDICT}
    assert INCIDENT not in set(codes(normal, make_label(), withdrawn()))
    assert (codes(normal, make_label(), withdrawn()) == codes(normal)).all()
    again = make_label(created_at=moment(LATER, 1))
    assert (codes(make_label(), withdrawn(), again) == codes(make_label())).all()


def test_only_the_same_span_of_the_same_machine_is_taken_back():
    label = make_label()
    for other in (withdrawn(end=moment(DAY, 4)), withdrawn(entity="b"), withdrawn(entity=None)):
        assert (codes(label, other) == codes(label)).all()
    normal = make_label(verdict="normal")
    assert (codes(normal, withdrawn()) == codes(normal)).all()
