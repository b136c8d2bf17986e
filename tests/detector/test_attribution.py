import numpy as np
import pytest

from pipeline.detector.attribution import contributions, usual_score, worst
from tests.detector.plant import CHANNELS, normal_rows, plant_bundle

FAMILIES = [(at,) for at in range(len(CHANNELS))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return plant_bundle(tmp_path_factory.mktemp("plant") / "bundle")


@pytest.fixture(scope="module")
def rows():
    return normal_rows(40, seed=4).to_numpy(np.float32)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_channel_that_is_wrong_is_named_first(bundle, rows, channel):
    at = CHANNELS.index(channel)
    wrong = rows.copy()
    wrong[:, at] += 8 * rows[:, at].std()

    found = contributions(bundle, wrong, FAMILIES)

    assert (found.argmax(axis=1) == at).mean() >= 0.9
    assert worst(found, CHANNELS)[0].feature == channel


def test_a_contribution_is_the_fall_of_the_score_in_usual_scores(bundle, rows):
    wrong = rows.copy()
    wrong[:, 1] += 8 * rows[:, 1].std()

    (speed,) = contributions(bundle, wrong, [(1,)]).T

    usual = usual_score(bundle)
    raised = (bundle.score(wrong).score - bundle.score(rows).score) / usual
    np.testing.assert_allclose(speed, raised, atol=0.25 * raised.mean())


def test_a_channel_that_does_not_count_adds_nothing_of_its_own(bundle, rows):
    wrong = rows.copy()
    wrong[:, 1] += 8 * rows[:, 1].std()
    muted = np.zeros(rows.shape, dtype=bool)
    muted[:, 1] = True

    with_it = contributions(bundle, wrong, FAMILIES)
    without = contributions(bundle, wrong, FAMILIES, muted)

    assert (without[:, 1] < with_it[:, 1]).all()


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
