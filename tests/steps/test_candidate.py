from dataclasses import replace

import pytest
import yaml

from pipeline.errors import ConfigError
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate
from pipeline.store.training_window import read_training_window
from tests.builders import FIRST_DAY, days, make_frame, make_spec, moment, stored_in
from tests.data.ingesting import ingested

AS_OF = days(8)[-1]


@pytest.fixture
def window(tmp_path):
    path = tmp_path / "pumps.parquet"
    make_frame(8).to_parquet(path)
    spec = make_spec(source={"kind": "parquet", "path": str(path)})
    now = moment(FIRST_DAY)
    ingested(spec, days(8), root=str(tmp_path), cache=tmp_path, now=now, run_id="r")
    return read_training_window(stored_in(tmp_path), spec, AS_OF).manifest


def test_the_same_input_gets_the_same_name(window):
    assert staged.name_candidate(staged.pin(make_spec(), window)) == staged.name_candidate(
        staged.pin(make_spec(), replace(window))
    )


def test_a_name_begins_with_the_day_that_the_candidate_is_trained_for(window):
    assert staged.name_candidate(staged.pin(make_spec(), window)).startswith(f"{AS_OF}-")


def test_another_detector_file_other_rows_or_other_code_is_another_candidate(window):
    origin = staged.pin(make_spec(), window)
    others = [
        staged.pin(make_spec(model={"seed": 43}), window),
        staged.pin(make_spec(), replace(window, table_version=window.table_version + 1)),
        replace(origin, code="another commit"),
    ]

    names = {staged.name_candidate(each) for each in [origin, *others]}

    assert len(names) == 4


def test_a_candidate_remembers_the_detector_it_was_started_with(window, tmp_path):
    candidate = Candidate("pumps", "c", str(tmp_path / "candidates" / "c"))
    spec = make_spec(threshold={"alpha": 0.02})

    candidate = staged.stage_origin(candidate, staged.pin(spec, window))

    assert staged.origin_of(candidate) == (spec, window)


def test_a_run_may_ask_for_another_training_window(here):
    content = make_spec().model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))

    assert staged.detector_named(here, "pumps").split.training_days == 30
    assert staged.detector_named(here, "pumps", training_days=12).split.training_days == 12


def test_an_unknown_detector_is_reported_with_the_nearest(here):
    (here.detectors / "pumps.yaml").touch()

    with pytest.raises(ConfigError, match=r"no detector 'pmups' in .*; did you mean 'pumps'\?"):
        staged.detector_named(here, "pmups")
