from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import Threshold
from pipeline.config.score import MemoryScore, ReconstructionScore
from pipeline.data.split import Block
from pipeline.detector.attribution import contributions, usual_contributions, worst
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.training.fit import fit
from tests.detector.plant import CHANNELS, SMALL, normal_rows, plant_bundle, schema

FAMILIES = [(at,) for at in range(len(CHANNELS))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return plant_bundle(tmp_path_factory.mktemp("plant") / "bundle")


SCORES = {
    "standardised": ReconstructionScore(),
    "plain": ReconstructionScore(error="plain"),
    "mahalanobis": ReconstructionScore(error="mahalanobis"),
    "memory": MemoryScore(),
    "prototypes": MemoryScore(rows=300),
}


@pytest.fixture(scope="module", params=SCORES)
def scored_bundle(request, tmp_path_factory):
    network = fit(Block("train", normal_rows(1500, seed=1)), schema(), SMALL, SCORES[request.param])
    calibration = calibrate(
        Block("calibration", normal_rows(400, seed=2)),
        schema(),
        Graph(network.graph).score,
        Threshold(),
    )
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    origin = Provenance(data={}, code_version="abc", lock_hash="def")
    write_bundle(network, calibration, folder, name="plant", provenance=origin)
    return load_bundle(folder)


@pytest.fixture(scope="module")
def rows():
    return normal_rows(40, seed=4).to_numpy(np.float32)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_channel_that_is_wrong_is_named_first_by_every_score(scored_bundle, rows, channel):
    at = CHANNELS.index(channel)
    wrong = rows.copy()
    wrong[:, at] += 8 * rows[:, at].std()

    found = contributions(scored_bundle, wrong, FAMILIES)

    assert (found.argmax(axis=1) == at).mean() >= 0.9
    assert worst(found, CHANNELS)[0].channel == channel


def test_a_score_that_one_feature_makes_up_says_so(scored_bundle, rows):
    wild = rows.copy()
    wild[:, 3] += 30 * rows[:, 3].std()

    found = contributions(scored_bundle, wild, FAMILIES)

    assert (found[:, 3] > 0.5 * found.sum(axis=1)).all()
    assert worst(found, CHANNELS)[0].channel == CHANNELS[3]


def test_a_contribution_is_the_fall_of_the_score_in_what_the_channel_usually_adds(bundle, rows):
    wrong = rows.copy()
    wrong[:, 1] += 8 * rows[:, 1].std()

    (speed,) = contributions(bundle, wrong, [(1,)]).T

    (usual,) = usual_contributions(bundle, [(1,)])
    raised = (bundle.score(wrong).score - bundle.score(rows).score) / usual
    np.testing.assert_allclose(speed, raised, atol=0.25 * raised.mean())


def test_what_a_channel_usually_adds_is_that_of_all_its_features_on_normal_rows(scored_bundle):
    normal = scored_bundle.score(normal_rows(400, seed=2).to_numpy(np.float32)).error.mean(axis=0)

    usual = usual_contributions(scored_bundle, [(0,), (1, 2)])

    np.testing.assert_allclose(usual, [normal[0], normal[1] + normal[2]], rtol=1e-4)


def test_a_channel_that_never_added_anything_does_not_drown_the_others(tmp_path):
    bundle = plant_bundle(tmp_path / "bundle")
    silent = replace(bundle.description.calibration, feature_error=(0.0, 1.0, 1.0, 1.0, 1.0))
    quiet = replace(bundle, description=replace(bundle.description, calibration=silent))

    usual = usual_contributions(quiet, FAMILIES)

    np.testing.assert_allclose(usual, [0.04, 1, 1, 1, 1])


def without_channel(rows, channel, *, at=slice(None)):
    muted = np.zeros(rows.shape, dtype=bool)
    muted[at, channel] = True
    return muted


def test_a_muted_channel_is_not_blamed_whatever_it_measures(scored_bundle, rows):
    wrong = rows.copy()
    wrong[:, 1] += 8 * rows[:, 1].std()
    muted = without_channel(rows, 1)

    found = contributions(scored_bundle, wrong, FAMILIES, muted)

    assert (found[:, 1] == 0).all()
    np.testing.assert_array_equal(found, contributions(scored_bundle, rows, FAMILIES, muted))


@pytest.mark.parametrize("channel", [at for at in range(len(CHANNELS)) if at != 1])
def test_beside_a_muted_channel_the_one_that_is_wrong_is_named_first(scored_bundle, rows, channel):
    """By every kind of score: a fault spoils what is expected of the muted channel as well."""
    wrong = rows.copy()
    wrong[:, channel] += 8 * rows[:, channel].std()

    found = contributions(scored_bundle, wrong, FAMILIES, without_channel(rows, 1))

    assert (found.argmax(axis=1) == channel).mean() >= 0.9


def test_a_channel_is_blamed_for_the_rows_in_which_it_counts(bundle, rows):
    wrong = rows.copy()
    wrong[:, 1] += 8 * rows[:, 1].std()

    found = contributions(bundle, wrong, FAMILIES, without_channel(rows, 1, at=slice(20)))

    assert (found[:20, 1] == 0).all()
    assert (found[20:].argmax(axis=1) == 1).all()
    np.testing.assert_allclose(found[20:], contributions(bundle, wrong[20:], FAMILIES), rtol=1e-5)


def test_a_channel_is_taken_out_of_the_row_with_all_its_features(bundle, rows):
    wrong = rows.copy()
    wrong[:, [1, 2]] += 8 * rows[:, [1, 2]].std(axis=0)

    found = contributions(bundle, wrong, [(0,), (1, 2), (3,), (4,)])

    assert (found.argmax(axis=1) == 1).mean() >= 0.9


def test_rows_together_are_ranked_by_their_mean():
    found = np.array([[9.0, 1.0, 0.0], [1.0, 2.0, 0.0]])

    first, second = worst(found, ("a", "b", "c"), most=2)

    assert first == ("a", 5.0)
    assert second == ("b", 1.5)


def test_no_rows_have_no_contributions(bundle):
    assert contributions(bundle, np.empty((0, 5), np.float32), FAMILIES).shape == (0, 5)
