from pipeline.store.notices import SentNotice, noticed_incidents, record_notice
from tests.builders import FIRST_DAY, days, moment, stored_in


def test_an_incident_is_known_once_its_notice_was_recorded(tmp_path):
    here = stored_in(tmp_path)
    assert noticed_incidents(here, "pumps") == {}

    notice = SentNotice(
        FIRST_DAY, "abc", "anomaly", "a", 1, "log", "text", "r", moment(FIRST_DAY, 9)
    )
    record_notice(here, "pumps", notice)

    assert noticed_incidents(here, "pumps") == {"abc": FIRST_DAY}
    assert noticed_incidents(here, "fans") == {}


def test_notices_are_known_since_a_day(tmp_path):
    here = stored_in(tmp_path)
    for day in days(3):
        notice = SentNotice(
            day, str(day), "anomaly", "a", 1, "log", "text", "r", moment(FIRST_DAY, 9)
        )
        record_notice(here, "pumps", notice)

    found = noticed_incidents(here, "pumps", since=days(2)[1])

    assert found == {str(day): day for day in days(3)[1:]}
