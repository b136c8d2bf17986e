"""The handle of a candidate: the files staged for it, each bound by its sum."""

import pandas as pd
import pytest
import yaml

from pipeline.errors import ConfigError, DataError
from pipeline.records import from_json, to_json
from pipeline.steps import candidate as staged
from pipeline.steps.candidate import Candidate, JudgedCandidate
from tests.builders import make_spec


@pytest.fixture
def candidate(tmp_path) -> Candidate:
    return Candidate("pumps", "c", str(tmp_path / "candidates" / "c"))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / "a.json").write_text("{}")
    (made / "b.json").write_text("[]")
    return made


def test_a_folder_is_replaced_whole_and_so_are_its_sums(candidate, folder):
    first = staged.stage_folder(candidate, staged.FIT, folder)
    (folder / "b.json").unlink()
    (folder / "a.json").write_text("[1]")

    second = staged.stage_folder(first, staged.FIT, folder)

    assert first.sums.keys() == {"fit/a.json", "fit/b.json"}
    assert second.sums.keys() == {"fit/a.json"}
    with staged.pulled(second, staged.FIT) as found:
        assert (found / "a.json").read_text() == "[1]"
    with pytest.raises(DataError, match=r"fit/a\.json is not what the task before left there"):
        staged.staged_json(first, "fit/a.json")


def test_tables_and_values_come_back_as_they_were_staged(candidate):
    frame = pd.DataFrame({"score": [0.5, 1.5]})

    kept = staged.stage_json(
        staged.stage_table(candidate, "rows.parquet", frame), "x.json", {"n": 1}
    )

    pd.testing.assert_frame_equal(staged.staged_table(kept, "rows.parquet"), frame)
    assert staged.staged_json(kept, "x.json") == {"n": 1}


def test_a_file_whose_sum_is_not_on_record_is_not_read(candidate, folder):
    staged.stage_folder(candidate, staged.FIT, folder)

    with (
        pytest.raises(DataError, match="came without the SHA-256 of its fit"),
        staged.pulled(candidate, staged.FIT),
    ):
        pass


def test_a_candidate_that_an_earlier_release_judged_can_still_be_promoted():
    """An approval may wait for days, over an upgrade: the payload then knows no kind."""
    judged = JudgedCandidate(Candidate("pumps", "c", "u"), 2, True, "ok", 1, "card")  # noqa: FBT003 - passed
    payload = to_json(judged)
    for name in ("kind", "weights_of"):
        del payload["candidate"][name]

    assert from_json(JudgedCandidate, payload) == judged


def test_a_run_may_ask_for_another_training_window(here):
    content = make_spec().model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))

    assert staged.detector_named(here, "pumps").split.training_days == 30
    assert staged.detector_named(here, "pumps", training_days=12).split.training_days == 12


def test_an_unknown_detector_is_reported_with_the_nearest(here):
    (here.detectors / "pumps.yaml").touch()

    with pytest.raises(ConfigError, match=r"no detector 'pmups' in .*; did you mean 'pumps'\?"):
        staged.detector_named(here, "pmups")
