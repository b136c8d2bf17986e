"""A tryout of a bundle, with confirmed incidents beside its test block."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline import records
from pipeline.config import Columns
from pipeline.data.split import normal_rows as unmarked
from pipeline.evaluation.diagnostics import NO_RECONSTRUCTION
from pipeline.evaluation.metrics import incidents_caught
from pipeline.evaluation.tryout import EpisodeChoice, Tryout, faults_in, judge, try_out
from tests.detector.plant import CHANNELS, faulty_rows, normal_rows, plant_bundle, timed

COLUMNS = Columns(cadence="10min", features={name: {"unit": "1"} for name in CHANNELS})
BLOCK = timed(normal_rows(432, seed=3), start="2024-02-01")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return plant_bundle(tmp_path_factory.mktemp("bundle"))


def a_day(rows, *, start):
    """A day on which the first hour was labelled an incident."""
    frame = timed(rows, start=start)
    return frame.assign(eval_label=(np.arange(len(frame)) < 6).astype(np.int8))


def tried(bundle, confirmed_incidents):
    rows = judge(bundle, BLOCK, COLUMNS)
    return try_out(bundle, BLOCK, COLUMNS, rows, confirmed_incidents)


def test_each_confirmed_incident_of_another_day_is_evaluated(bundle):
    seen = a_day(pd.concat([faulty_rows(6), normal_rows(138)]), start="2024-01-03")
    missed = a_day(normal_rows(144, seed=8), start="2024-01-09")

    found = tried(bundle, pd.concat([seen, missed], ignore_index=True))

    assert [incident.start[:10] for incident in found.incidents] == ["2024-01-03", "2024-01-09"]
    assert incidents_caught(found.incidents) == ("2024-01-03T00:00:00+00:00",)


def test_confirmed_incidents_change_nothing_about_the_test_block(bundle):
    confirmed = a_day(faulty_rows(144), start="2024-01-03")

    with_it, without = tried(bundle, confirmed), tried(bundle, pd.DataFrame())

    assert with_it.evaluation == without.evaluation
    assert with_it.faults == without.faults
    assert without.incidents == ()


def test_labelled_rows_are_no_false_alarms(bundle):
    frame = a_day(pd.concat([faulty_rows(6), normal_rows(138)]), start="2024-01-03")

    rows = judge(bundle, frame, COLUMNS)

    assert unmarked(frame, COLUMNS).sum() == 138
    assert rows.normal.sum() == 138


def test_faults_go_into_the_channels_of_the_file_where_the_bundle_has_another_order(bundle):
    columns = COLUMNS.model_copy(update={"features": dict(reversed(COLUMNS.features.items()))})
    still = BLOCK.assign(**{CHANNELS[0]: BLOCK[CHANNELS[0]].mean()})

    found = faults_in(bundle, still, columns, EpisodeChoice(seed=1))

    planted = {each.channel for each in found if each.episodes}
    assert planted == set(CHANNELS[1:])  # in a channel that does not move no fault has a size


def test_a_tryout_from_before_there_were_confirmed_incidents_can_be_read(bundle):
    now = tried(bundle, pd.DataFrame())
    written = json.loads(json.dumps(records.to_json(now)))
    del written["confirmed_incidents"]

    assert records.from_json(Tryout, written) == now


def test_a_score_without_reconstruction_has_no_diagnosis(bundle):
    network = bundle.description.network
    for facts in (
        replace(network, reconstructs=False),
        replace(network, score={"kind": "memory", "residual": 0.0}),
    ):
        blank = replace(bundle, description=replace(bundle.description, network=facts))

        assert tried(blank, pd.DataFrame()).diagnosis == NO_RECONSTRUCTION
    assert tried(bundle, pd.DataFrame()).diagnosis.noise_passthrough > 0
