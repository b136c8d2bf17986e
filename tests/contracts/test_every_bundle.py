"""Every family, score, threshold and postprocessing gives a bundle that loads, in any release.

The checks of a bundle must accept every result of a fit; a new entry in MODELS, SCORES or
THRESHOLDS is tested without a change here.
"""

from functools import cache

import numpy as np
import pytest

from pipeline.config import Threshold
from pipeline.config.calibration import Contexts, Smoothing
from pipeline.data.label import INCIDENT
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.bundle.graph_content import content_of
from pipeline.detector.bundle.threshold_range import BEYOND, EXTRAPOLATING
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.models.families import MODELS
from pipeline.detector.thresholds.methods import THRESHOLDS
from pipeline.errors import BundleError, CalibrationError
from tests.contracts import test_every_score
from tests.contracts.test_every_model import fit_small, shortest, train
from tests.detector.forging import described, of_an_earlier_release
from tests.detector.plant import normal_rows, timed

PLAIN, UNLEVELLED, UNSMOOTHED = Threshold(), Contexts(), Smoothing()
earlier = pytest.mark.parametrize("earlier", [False, True], ids=["now", "earlier"])


@cache
def quick(family, window):
    return fit_small(family, train(600), window=window, steps=60)


def held_out(rows):
    return Block("calibration", timed(normal_rows(rows, seed=2), start="2024-03-01"))


def write(fitted, folder, calibration, *, older):
    write_bundle(fitted, calibration, folder, name="b", provenance=Provenance({}, "", ""))
    if older:
        of_an_earlier_release(folder)


def calibrated(fitted, config=PLAIN, *, rows=600, smoothing=UNSMOOTHED, contexts=UNLEVELLED):
    scorer = Graph(fitted.graph).score
    return calibrate(
        held_out(rows),
        fitted.facts.schema,
        scorer,
        config,
        smoothing=smoothing,
        contexts=contexts,
    )


@earlier
@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("family", MODELS)
def test_every_family_loads_and_its_scaler_is_compared_with_its_graph(
    family, window, earlier, tmp_path
):
    fitted = quick(family, max(window, shortest(family)))
    write(fitted, tmp_path / "b", calibrated(fitted), older=earlier)

    load_bundle(tmp_path / "b")

    assert {"scaling.mean", "scaling.scale"} <= content_of(fitted.graph).floats.keys()
    described(tmp_path / "b", lambda content: content["network"]["scaler"]["mean"].reverse())
    with pytest.raises(BundleError, match=r"scaler\.mean of 'load' is"):
        load_bundle(tmp_path / "b")


@earlier
@test_every_score.scores
@test_every_score.families
def test_every_score_loads(score, family, earlier, tmp_path):
    fitted = test_every_score.fitted(score, family, window=1)
    write(fitted, tmp_path / "b", calibrated(fitted), older=earlier)

    assert load_bundle(tmp_path / "b").description.network.score == fitted.facts.score


@earlier
@pytest.mark.parametrize("rows", [120, 6000])
@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.45])
@pytest.mark.parametrize("method", THRESHOLDS)
def test_every_threshold_loads(method, alpha, rows, earlier, tmp_path):
    fitted = quick("linear", 1)
    try:
        calibration = calibrated(fitted, Threshold(method=method, alpha=alpha), rows=rows)
    except CalibrationError:
        pytest.skip("too few rows for this alpha: no bundle is written")
    write(fitted, tmp_path / "b", calibration, older=earlier)

    assert load_bundle(tmp_path / "b").threshold == calibration.threshold.value


def labelled(shift):
    """Rows with ten known incidents of three rows each, shifted by `shift`."""
    frame = held_out(900).frame.assign(eval_label=0)
    for number in range(10):
        rows = slice(50 + 40 * number, 52 + 40 * number)
        frame.loc[rows, "load"] += shift
        frame.loc[rows, "eval_label"] = INCIDENT
    return Block("calibration", frame)


@earlier
@pytest.mark.parametrize("shift", [0.0, 0.5, 40.0], ids=["alike", "near", "far"])
@pytest.mark.parametrize("cost", [0.1, 10.0, 1000.0])
def test_every_threshold_estimated_from_labels_loads(cost, shift, earlier, tmp_path):
    fitted = quick("linear", 1)
    config = Threshold(method="cost_weighted", miss_cost=cost)
    scorer = Graph(fitted.graph).score
    calibration = calibrate(labelled(shift), fitted.facts.schema, scorer, config)
    write(fitted, tmp_path / "b", calibration, older=earlier)

    assert load_bundle(tmp_path / "b").threshold == calibration.threshold.value


@earlier
@pytest.mark.parametrize("by", ["none", "hour_of_week"])
@pytest.mark.parametrize("rows", [5, 200])
def test_every_postprocessing_loads(rows, by, earlier, tmp_path):
    fitted = quick("linear", 1)
    calibration = calibrated(
        fitted, rows=3000, smoothing=Smoothing(rows=rows), contexts=Contexts(by=by)
    )
    write(fitted, tmp_path / "b", calibration, older=earlier)

    assert load_bundle(tmp_path / "b").postprocessing == calibration.postprocessing


@pytest.mark.parametrize("method", THRESHOLDS)
def test_a_threshold_lies_among_its_calibration_scores_or_not_far_beyond(method):
    chance = np.random.default_rng(5)
    for shape in (0.1, 0.5, 1.0, 1.5):
        for rows in (25, 100, 400, 2000):
            for alpha in (0.01, 0.05, 0.4):
                scores = chance.lognormal(sigma=shape, size=rows)
                try:
                    threshold = THRESHOLDS[method](scores, alpha=alpha, n_effective=rows).value
                except CalibrationError:
                    continue
                beyond = BEYOND / 10 if method in EXTRAPOLATING else 1.0
                assert scores.min() <= threshold <= beyond * scores.max()
                assert threshold >= np.median(scores) / 2
