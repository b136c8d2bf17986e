"""Scores that a drift verdict is built on, where no day's own were served."""

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.config import Columns
from pipeline.data.channels import channels_as_cell
from pipeline.data.grid import DAY_NS
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.scoring import score_frame
from pipeline.steps.drift_evidence import _muted, _scored_alone
from pipeline.steps.live import LoadedVersion
from tests.detector.plant import CHANNELS, normal_rows, plant_bundle, schema, timed

COLUMNS = Columns(cadence="10min", features={name: {"unit": "1"} for name in CHANNELS})
A_DAY = 144


def test_the_first_smoothed_scores_of_a_day_look_back_on_the_day_before(tmp_path):
    bundle = plant_bundle(tmp_path / "bundle")
    network = replace(bundle.description.network, schema=schema(timed=True))
    description = replace(bundle.description, network=network, finish=ScorePostprocessing(rows=4))
    smoothing = replace(bundle, description=description)
    frame = timed(normal_rows(2 * A_DAY))
    day = int(frame["timestamp"].iloc[-1].value // DAY_NS)

    alone = _scored_alone(LoadedVersion(None, smoothing), frame, day, COLUMNS)

    together = score_frame(smoothing, frame)["score"].to_numpy()[A_DAY:]
    np.testing.assert_allclose(alone, together, rtol=1e-6)


def test_a_muted_channel_is_known_again_although_its_name_holds_a_comma():
    names = ("speed, m/s", "load", "speed")
    columns = Columns(cadence="10min", features={name: {"unit": "1"} for name in names})

    mask = _muted(
        pd.Series([channels_as_cell(["speed, m/s"]), None, channels_as_cell(names[:2])]), columns
    )

    assert mask.tolist() == [[True, False, False], [False] * 3, [True, True, False]]
