"""A bundle that reads rows in the order of the detector file."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import Columns
from pipeline.detector.calibration.contexts import ContextFactors
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.evaluation.file_order import in_file_order
from tests.detector.plant import CHANNELS, normal_rows, plant_bundle

ROWS = normal_rows(50, seed=3)
FILE = (*reversed(CHANNELS), "new")
COLUMNS = Columns(cadence="10min", features={name: {"unit": "1"} for name in FILE})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return plant_bundle(tmp_path_factory.mktemp("bundle"))


def test_rows_in_the_order_of_the_file_have_the_scores_of_the_bundle(bundle):
    rows = ROWS.assign(new=np.nan)[list(FILE)].to_numpy(np.float32)

    found = in_file_order(bundle, COLUMNS).score(rows)

    own = bundle.score(ROWS[list(CHANNELS)].to_numpy(np.float32))
    np.testing.assert_array_equal(found.score, own.score)


def test_an_input_that_the_file_does_not_have_any_more_comes_last(bundle):
    fewer = Columns(cadence="10min", features={name: {"unit": "1"} for name in CHANNELS[1:]})

    found = in_file_order(bundle, fewer)

    assert found.features == (*CHANNELS[1:], CHANNELS[0])
    rows = ROWS[list(found.features)].to_numpy(np.float32)
    own = bundle.score(ROWS[list(CHANNELS)].to_numpy(np.float32))
    np.testing.assert_array_equal(found.score(rows).score, own.score)


def test_a_context_is_read_at_its_place_in_the_file(bundle):
    by_first = ScorePostprocessing(contexts=ContextFactors("column", 0, {"1": 1.0}))
    description = replace(bundle.description, finish=by_first)

    found = in_file_order(replace(bundle, description=description), COLUMNS).postprocessing

    assert found.contexts is not None
    assert found.contexts.column == len(CHANNELS) - 1
