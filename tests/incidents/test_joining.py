import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detector.attribution import Blame
from pipeline.incidents.joining import joined
from tests.incidents.made import part

HOUR, EIGHT_HOURS = pd.Timedelta("1h"), pd.Timedelta("8h")


def incidents(*parts, minimum_rows=1):
    return joined(parts, HOUR, EIGHT_HOURS, minimum_rows=minimum_rows)


EVENING = part("2024-03-01T23:10", "2024-03-01T23:50", rows=4, peak=5.0)
MORNING = part("2024-03-02T00:10", "2024-03-02T02:00", rows=12)


def test_parts_on_both_sides_of_midnight_are_one_incident():
    (whole,) = incidents(MORNING, EVENING)

    assert (whole.start, whole.end, whole.rows) == (EVENING.start, MORNING.end, 16)
    assert (whole.peak, whole.peak_at) == (5.0, EVENING.peak_at)


def test_an_id_stays_when_the_incident_goes_on_and_distinguishes_incidents():
    (begun,), (whole,) = incidents(EVENING), incidents(EVENING, MORNING)
    elsewhere = part("2024-03-01T23:10", "2024-03-01T23:50", entity="b")

    assert begun.id == whole.id
    assert len({i.id for i in incidents(EVENING, elsewhere)}) == 2


def test_blame_counts_each_part_by_its_rows():
    few = part("2024-03-01T23:50", "2024-03-01T23:50", rows=1, features=(Blame("flow", 10.0),))
    many = part("2024-03-02T00:10", "2024-03-02T01:30", rows=9, features=(Blame("angle", 5.0),))

    (whole,) = incidents(few, many)

    assert whole.features == (("angle", 4.5), ("flow", 1.0))


def test_few_rows_are_no_incident_unless_they_belong_to_a_longer_one():
    assert incidents(EVENING, minimum_rows=5) == []
    assert [i.rows for i in incidents(EVENING, MORNING, minimum_rows=5)] == [16]


def test_two_shifted_channels_are_two_incidents():
    about = {"kind": "shifted feature", "rows": 100}
    flow = part("2024-03-01T10:00", "2024-03-01T23:50", **about)
    angle = part("2024-03-02T00:00", "2024-03-02T04:00", features=(Blame("angle", 3.0),), **about)

    assert len(incidents(flow, angle)) == 2


def test_a_shift_that_flickers_is_one_incident():
    kind = "shifted feature"
    before = part("2024-03-01T10:00", "2024-03-01T20:00", kind=kind)
    after = part("2024-03-02T02:00", "2024-03-02T09:00", kind=kind)

    assert len(incidents(before, after)) == 1


def test_a_withdrawn_incident_that_is_raised_as_well_is_reported_once():
    withdrawn = part("2024-03-01T22:50", "2024-03-01T23:55", status="withdrawn", version=2)

    (only,) = incidents(EVENING, withdrawn)

    assert (only.status, only.version) == ("raised", 1)


def test_a_withdrawn_incident_that_nobody_raises_stays_as_such():
    withdrawn = part("2024-03-05T22:50", "2024-03-05T23:55", status="withdrawn", version=2)

    assert [i.status for i in incidents(EVENING, withdrawn)] == ["raised", "withdrawn"]


@given(st.permutations([EVENING, MORNING, part("2024-03-04T00:00", "2024-03-04T01:00")]))
def test_the_order_of_parts_does_not_matter(parts):
    assert incidents(*parts) == incidents(*sorted(parts, key=lambda each: each.start))
