from pipeline import tables
from pipeline.drift import DriftResult, DriftVerdict
from pipeline.store.drift import drift_version, record_candidate_drift, verdicts_between
from pipeline.tables import Table
from tests.builders import FIRST_DAY, make_spec, stored_in

SCORE = DriftResult("score", 0.4, 0.0, 0.0, 100, 100, rises=True, level="alarm")
VERDICT = DriftVerdict("none", "none", "nothing moved", (SCORE,), ())


def test_the_drift_of_a_candidate_is_recorded_once_and_is_no_verdict_of_a_day(tmp_path):
    here = stored_in(tmp_path)
    assert drift_version(here, "pumps") is None

    record_candidate_drift(here, "pumps", "candidate-1", FIRST_DAY, VERDICT)
    version = drift_version(here, "pumps")
    record_candidate_drift(here, "pumps", "candidate-1", FIRST_DAY, VERDICT)

    assert drift_version(here, "pumps") == version
    rows = tables.read(Table(here.storage, "pumps", "drift"))
    assert list(rows["source"]) == ["candidate-1"]
    assert verdicts_between(here, make_spec(), FIRST_DAY, FIRST_DAY) == {}
