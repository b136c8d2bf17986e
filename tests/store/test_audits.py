from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipeline.data.audit import Audit, probabilities
from pipeline.data.timeline import timeline_from
from pipeline.store.audits import add_audits, audits_between
from tests.builders import days, make_frame, make_spec, moment, on, stored_in

NOW = datetime(2024, 3, 1, 6, tzinfo=UTC)
DAY, NEXT, LATER = days(3)
EPISODE = Audit("x", "a", moment(DAY, 3), moment(DAY, 5), 0.5, NOW)


def test_the_table_holds_each_audit_once(root):
    here = stored_in(root)
    audits = [replace(EPISODE, incident=str(number)) for number in range(20)]

    assert add_audits(here, "pumps", audits) == len(audits)
    later = [replace(audit, proposed_at=NOW + timedelta(days=30)) for audit in audits]
    assert add_audits(here, "pumps", later) == 0
    assert set(audits_between(here, "pumps", DAY, NOW.date())) == set(audits)


def test_audits_are_read_by_the_days_that_they_touch(tmp_path):
    here = stored_in(tmp_path)
    audit = replace(EPISODE, start=moment(DAY, 22), end=moment(NEXT, 2))
    add_audits(here, "pumps", [audit])

    assert audits_between(here, "pumps", NEXT, LATER) == (audit,)
    assert audits_between(here, "pumps", LATER, LATER) == ()


def test_of_two_audits_of_one_episode_the_later_in_the_table_counts_whatever_its_clock(tmp_path):
    here, frame = stored_in(tmp_path), make_frame(1)
    for share, clock in ((0.2, NOW), (0.6, NOW - timedelta(days=2))):
        add_audits(here, "pumps", [replace(EPISODE, probability=share, proposed_at=clock)])

    audits = audits_between(here, "pumps", DAY, NOW.date())

    found = probabilities(timeline_from(frame, make_spec().columns), audits)
    assert set(found[on(frame, "a", [3, 4, 5]).to_numpy()]) == {0.6}
