from pipeline.store.requests import RecordedRequest, record_request, requests_for
from tests.builders import days, moment, stored_in

DAY, NEXT, LATER = days(3)


def test_requests_are_found_by_action_and_day_both_ends_included(tmp_path):
    here = stored_in(tmp_path)
    for day, action in ((DAY, "retrain"), (NEXT, "recalibrate"), (LATER, "retrain")):
        request = RecordedRequest(day, action, "stale", f"run-{day}", moment(LATER, 9))
        record_request(here, "pumps", request)

    found = requests_for(here, "pumps", "retrain", DAY, NEXT)

    assert [(row["date"], row["run_id"]) for row in found] == [(DAY, f"run-{DAY}")]
    assert len(requests_for(here, "pumps", "retrain", DAY, LATER)) == 2
    assert requests_for(here, "fans", "retrain", DAY, LATER) == []
