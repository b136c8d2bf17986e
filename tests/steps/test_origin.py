"""What a candidate is made from: its name follows from it, and later edits change nothing."""

from dataclasses import replace
from datetime import date

import pytest

from pipeline.errors import DataError
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate
from pipeline.steps.origin import (
    Acceptance,
    RecalibrationInputs,
    RecalibrationWindow,
    TrainingInputs,
    deciding,
    name_candidate,
    origin_of,
    pin,
    start_candidate,
)
from pipeline.store.training_window import read_training_window
from tests.builders import FIRST_DAY, days, make_frame, make_spec, moment, stored_in
from tests.data.ingesting import ingested

AS_OF = days(8)[-1]
ROLLING = RecalibrationWindow(
    kind="recalibrated",
    as_of=AS_OF,
    first_day=days(1)[0],
    last_day=days(7)[-1],
    days=7,
    rows=504,
    rows_digest="abc",
    rescored=7,
    telemetry_version=3,
    labels=0,
    labels_until="",
    champion=1,
    drawn_from=1,
)


@pytest.fixture
def window(tmp_path):
    path = tmp_path / "pumps.parquet"
    make_frame(8).to_parquet(path)
    spec = make_spec(source={"kind": "parquet", "path": str(path)})
    here = stored_in(tmp_path)
    ingested(here, spec, days(8), now=moment(FIRST_DAY), run_id="r")
    return read_training_window(here, spec, AS_OF).manifest


def trained(window, **sections):
    return pin(make_spec(**sections), TrainingInputs(window))


def recalibrated(acceptance=None, **changed):
    return pin(make_spec(), RecalibrationInputs(replace(ROLLING, **changed), acceptance))


def test_the_same_input_gets_the_same_name(window):
    assert name_candidate(trained(window)) == name_candidate(trained(replace(window)))
    assert name_candidate(recalibrated()) == name_candidate(recalibrated())


def test_a_name_begins_with_the_day_that_the_candidate_is_made_for_and_says_its_kind(window):
    assert name_candidate(trained(window)).startswith(f"{AS_OF}-")
    assert "recalibrated" not in name_candidate(trained(window))
    assert name_candidate(recalibrated()).startswith(f"{AS_OF}-recalibrated-")


def test_another_detector_file_other_rows_or_other_code_is_another_candidate(window):
    origin = trained(window)
    others = [
        trained(window, model={"seed": 43}),
        trained(replace(window, table_version=window.table_version + 1)),
        replace(origin, code="another commit"),
    ]

    names = {name_candidate(each) for each in [origin, *others]}

    assert len(names) == 4


def test_features_in_another_order_are_another_candidate_and_stay_in_theirs(window, tmp_path):
    features = make_spec().model_dump(mode="json")["columns"]["features"]
    turned = make_spec(schema={"features": dict(reversed(features.items()))})
    origin = pin(turned, TrainingInputs(window))

    spec, _ = origin_of(start_candidate(stored_in(tmp_path), "pumps", origin), TrainingInputs)

    assert list(spec.columns.features) == ["angle", "pressure", "flow"]
    assert name_candidate(origin) != name_candidate(trained(window))


def test_other_rows_another_version_or_an_acceptance_is_another_recalibration():
    others = [
        recalibrated(rows_digest="def"),
        recalibrated(drawn_from=2),
        recalibrated(Acceptance("ada", "a new gearbox")),
    ]

    names = {name_candidate(each) for each in [recalibrated(), *others]}

    assert len(names) == 4


@pytest.mark.parametrize("change", [{"telemetry_version": 9}, {"rescored": 0}, {"champion": 2}])
def test_a_month_that_is_recalibrated_again_keeps_its_name(change):
    assert name_candidate(recalibrated(**change)) == name_candidate(recalibrated())
    assert change.keys().isdisjoint(deciding(recalibrated(**change).inputs))


def test_a_candidate_remembers_the_detector_and_the_rows_it_was_started_with(window, tmp_path):
    spec = make_spec(threshold={"alpha": 0.02})
    here = stored_in(tmp_path)

    candidate = start_candidate(here, "pumps", pin(spec, TrainingInputs(window)))

    assert origin_of(candidate, TrainingInputs) == (spec, TrainingInputs(window))
    assert (candidate.kind, candidate.weights_of) == ("trained", None)
    assert candidate.uri == f"{staged.candidates_of(here, 'pumps')}/{candidate.name}"


def test_a_recalibrated_candidate_remembers_whose_weights_it_has(tmp_path):
    inputs = RecalibrationInputs(ROLLING, Acceptance("ada", "a new gearbox"))

    candidate = start_candidate(
        stored_in(tmp_path), "pumps", pin(make_spec(), inputs), weights_of=1
    )

    assert origin_of(candidate, RecalibrationInputs) == (make_spec(), inputs)
    assert (candidate.kind, candidate.weights_of) == ("recalibrated", 1)
    assert inputs.acceptance.text == "ada: a new gearbox"


def test_an_origin_that_was_changed_since_is_refused(window, tmp_path):
    candidate = start_candidate(stored_in(tmp_path), "pumps", trained(window))
    other = replace(candidate, sums={staged.ORIGIN: "0" * 64})

    with pytest.raises(DataError, match=r"origin\.json is not what the task before left there"):
        origin_of(other, TrainingInputs)


def test_an_origin_of_an_earlier_release_says_what_to_do(tmp_path):
    candidate = Candidate("pumps", "c", str(tmp_path / "c"))
    earlier = staged.stage_json(candidate, staged.ORIGIN, {"spec": {}, "window": {}, "code": "c"})

    with pytest.raises(DataError, match="Clear the run from its first task on"):
        origin_of(earlier, TrainingInputs)


def test_the_days_of_a_window_are_dates(tmp_path):
    origin = recalibrated()

    candidate = start_candidate(stored_in(tmp_path), "pumps", origin)

    assert isinstance(origin_of(candidate, RecalibrationInputs)[1].window.first_day, date)
