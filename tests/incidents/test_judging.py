"""Rows scored by one bundle: the blame where the score is a mean over several rows."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import Columns, Shifts
from pipeline.detector.attribution import contributions
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.incidents.judging import judge
from pipeline.scoring import score_rows
from tests.detector.plant import CHANNELS, normal_rows, plant_bundle, schema, timed

COLUMNS = Columns(cadence="10min", features={name: {"unit": "1"} for name in CHANNELS})
SPEED = CHANNELS.index("speed")
LAST = 23  # of four faulty rows


@pytest.fixture(scope="module")
def smoothing(tmp_path_factory):
    """A bundle whose scores are means of four rows."""
    bundle = plant_bundle(tmp_path_factory.mktemp("judging") / "bundle")
    described = replace(schema(timed=True), source_columns=COLUMNS.model_dump(mode="json"))
    network = replace(bundle.description.network, schema=described)
    description = replace(bundle.description, network=network, finish=ScorePostprocessing(rows=4))
    return replace(bundle, description=description)


def with_threshold(bundle, value):
    threshold = replace(bundle.description.threshold, value=value)
    return replace(bundle, description=replace(bundle.description, threshold=threshold))


def test_a_smoothed_flag_is_blamed_on_all_the_rows_that_it_averages(smoothing):
    frame = timed(normal_rows(40))
    frame.loc[20:LAST, list(CHANNELS)] = frame.loc[20, list(CHANNELS)].to_numpy()
    frame.loc[20:LAST, "speed"] += 3000
    score = score_rows(smoothing, frame).score
    strict = with_threshold(smoothing, float(np.sort(score)[-2:].mean()))

    found = judge(strict, frame, len(frame), Shifts(share=0.9)).found  # no mute

    rows = frame[list(CHANNELS)].to_numpy(np.float32)
    alone = contributions(strict, rows, [(at,) for at in range(len(CHANNELS))])
    assert np.flatnonzero(found.any(axis=1)).tolist() == [LAST]
    assert found[LAST].argmax() == SPEED
    np.testing.assert_allclose(found[LAST], alone[20 : LAST + 1].mean(axis=0), rtol=1e-5)


def test_a_muted_channel_is_not_blamed_for_what_another_one_does(smoothing):
    frame = timed(normal_rows(60))
    frame["speed"] += np.float32(50_000)  # far outside its range from the first row on
    frame.loc[40:42, "flow"] += np.float32(0.5)  # too short to be muted

    found = judge(smoothing, frame, len(frame), Shifts())

    assert found.shifts.muted[10:].sum(axis=0).tolist() == [0, 50, 0, 0, 0]
    assert found.flagged[41:45].all()
    assert (found.found[41:45].argmax(axis=1) == CHANNELS.index("flow")).all()
    assert (found.found[15:, SPEED] == 0).all()
