"""A bundle that takes rows with missing values, from its files to its answers."""

import numpy as np
import pytest

from pipeline.detector.attribution import contributions
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.errors import DataError
from pipeline.scoring import score_frame
from tests.detector.missing_values import (
    CHANNELS,
    calibrated,
    faulty,
    fitted,
    values,
    whole,
    with_missing,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "missing"
    write_bundle(fitted(), calibrated(), folder, name="missing", provenance=Provenance({}, "", ""))
    return load_bundle(folder)


def test_the_bundle_records_that_it_takes_missing_values_and_scores_them(bundle):
    frame = with_missing(whole(200, seed=11), seed=11)

    answers = score_frame(bundle, frame)

    assert bundle.schema.missing_cells == 0.5
    assert answers["score"].notna().all()
    golden = bundle.reference().features
    assert 0.05 < np.isnan(golden).mean() < 0.15  # as the calibration rows had it


def test_the_bundle_refuses_a_row_with_nothing_to_judge(bundle):
    rows = values(whole(10, seed=1))
    rows[3] = np.nan

    with pytest.raises(DataError, match=r"1 of 10 rows lack every feature that is judged"):
        bundle.score(rows)


def test_the_bundle_refuses_infinity(bundle):
    rows = values(whole(10, seed=1))
    rows[3, 2], rows[4, 2] = np.inf, np.nan

    with pytest.raises(DataError, match=r"1 of 10 rows .* c02 \(1\)"):
        bundle.score(rows)


def test_an_absent_channel_is_never_to_blame(bundle):
    rows = values(faulty(200, seed=4))
    rows[:, 8] = np.nan

    blamed = contributions(bundle, rows, [(column,) for column in range(len(CHANNELS))])

    assert (blamed[:, 8] == 0).all()
    assert blamed.mean(axis=0).argmax() == 3
