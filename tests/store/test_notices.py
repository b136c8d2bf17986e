from pipeline.store.notices import SentNotice, noticed_incidents, record_notice
from tests.builders import FIRST_DAY, moment, stored_in


def test_an_incident_is_known_once_its_notice_was_recorded(tmp_path):
    here = stored_in(tmp_path)
    assert noticed_incidents(here, "pumps") == set()

    notice = SentNotice(
        FIRST_DAY, "abc", "anomaly", "a", 1, "log", "text", "r", moment(FIRST_DAY, 9)
    )
    record_notice(here, "pumps", notice)

    assert noticed_incidents(here, "pumps") == {"abc"}
    assert noticed_incidents(here, "fans") == set()
