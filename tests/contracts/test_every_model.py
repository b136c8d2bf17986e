"""Properties of every model family; a new one in MODELS is tested without a change here."""

from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch

from pipeline.config import Threshold
from pipeline.config.family import TrainedModel
from pipeline.config.model import Model
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import CHUNK, Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.fitted import load_fitted, save_fitted
from pipeline.detector.training.fit import fit, restore
from pipeline.errors import ConfigError, DataError, SplitReuseError
from tests.detector.plant import CHANNELS, faulty_rows, normal_rows, schema, timed

SECTIONS = {
    section.model_fields["family"].default: section
    for section in get_args(get_args(Model)[0]) or get_args(Model)[:1]
}
SMALL = {"members": 2, "width": 16, "steps": 150, "batch_rows": 64}
"""Deployment of a quick fit; a family gets those that its section knows."""
OWN_SMALL: dict[str, dict] = {
    "isolation_forest": {"trees": 20, "samples": 64},
    "nearest_neighbours": {"rows": 200},
    "recurrent": {"width": 32, "steps": 400},  # whole windows pass through the width
    "transformer": {"learning_rate": 2e-3},  # else the loss has fallen before the first check
}
"""Deployment of a family that differ from SMALL."""
LEAST_WINS: dict[str, float] = {"isolation_forest": 0.55}
"""How often a fault outscores a normal row, where the family cannot reach 0.85."""
SEEDLESS = {"linear"}
"""Families that a seed cannot change: closed forms."""
BLIND_TO_CONSTANTS = {"isolation_forest"}
"""Families that cannot see a constant feature change; they must say so in a remark."""

TRAINED = [family for family in MODELS if issubclass(SECTIONS[family], TrainedModel)]


def shortest(family):
    return MODELS[family].minimum_rows


families = pytest.mark.parametrize("family", MODELS)
trained = pytest.mark.parametrize("family", TRAINED)
windowed = pytest.mark.parametrize(
    ("family", "window"),
    [
        (family, window)
        for family in MODELS
        for window in sorted({max(rows, shortest(family)) for rows in (1, 3)})
    ],
)


def settings(family, **changes):
    section = SECTIONS[family]
    wanted = {**SMALL, **OWN_SMALL.get(family, {}), **changes}
    return section(**{name: wanted[name] for name in wanted if name in section.model_fields})


def train(rows=1500):
    return Block("train", timed(normal_rows(rows, seed=1)))


def fit_small(family, block, *, window=None, threads=1, **changes):
    seen = schema(window=window or shortest(family), timed=True)
    return fit(block, seen, settings(family, **changes), threads=threads)


@cache
def fitted(family, window=None):
    return fit_small(family, train(), window=window)


@cache
def threshold(family, window=None):
    block = Block("calibration", timed(normal_rows(600, seed=2), start="2024-03-01"))
    network = fitted(family, window)
    calibration = calibrate(block, network.facts.schema, Graph(network.graph).score, Threshold())
    return calibration.threshold.value


def inputs(frame, window=1):
    rows = feature_values(frame, schema())
    return np.hstack([rows[k : len(rows) - window + 1 + k] for k in range(window)])


def test_every_family_has_settings_and_every_settings_a_family():
    assert SECTIONS.keys() == MODELS.keys()


@windowed
def test_it_keeps_the_shape(family, window):
    graph = Graph(fitted(family, window).graph)
    rows = inputs(normal_rows(20), window)

    scored = graph.score(rows)

    assert scored.score.shape == (len(rows),)
    assert scored.error.shape == (len(rows), len(CHANNELS))
    assert graph.reconstruct(rows).shape == rows.shape


@windowed
def test_a_reconstruction_does_not_depend_on_the_rows_beside_it(family, window):
    graph = Graph(fitted(family, window).graph)
    rows = inputs(normal_rows(CHUNK + 200), window)

    together = graph.reconstruct(rows)

    for some in (slice(0, 1), slice(5, 8), slice(2, 19), slice(0, CHUNK + 1)):
        np.testing.assert_array_equal(graph.reconstruct(rows[some]), together[some])


@windowed
def test_the_errors_of_the_features_add_up_to_the_score(family, window):
    scored = Graph(fitted(family, window).graph).score(inputs(normal_rows(50), window))

    np.testing.assert_allclose(scored.error.sum(axis=1), scored.score, rtol=1e-5)
    assert (scored.score >= 0).all()


@families
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(family):
    first, again = (fit_small(family, train(300), steps=30) for _ in range(2))
    other = fit_small(family, train(300), steps=30, seed=7)

    assert first.graph == again.graph
    assert (first.graph == other.graph) == (family in SEEDLESS)
    assert first.facts.history == again.facts.history


@families
def test_global_random_state_is_neither_read_nor_changed(family):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global state is the point
    before = torch.get_rng_state(), torch.get_num_threads()

    first = fit_small(family, train(300), steps=30)
    torch.manual_seed(2)
    second = fit_small(family, train(300), steps=30)

    torch.manual_seed(1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == torch.get_num_threads()
    assert first.graph == second.graph


@windowed
def test_network_and_graph_agree(family, window):
    rows = inputs(normal_rows(500, seed=3), window)

    network = restore(fitted(family, window))
    with torch.no_grad():
        by_torch = network(torch.from_numpy(rows)).score.numpy()

    by_graph = Graph(fitted(family, window).graph).score(rows).score
    usual = by_torch <= threshold(family, window)
    limit = 1e-5 * threshold(family, window)
    np.testing.assert_allclose(by_graph[usual], by_torch[usual], atol=limit)
    np.testing.assert_allclose(by_graph, by_torch, rtol=1e-4)


@families
def test_it_survives_the_disk_unchanged(family, tmp_path):
    save_fitted(fitted(family), tmp_path)

    loaded = load_fitted(tmp_path)

    assert loaded.facts == fitted(family).facts
    assert loaded.graph == fitted(family).graph
    rows = torch.from_numpy(inputs(normal_rows(50), shortest(family)))
    assert torch.equal(restore(loaded)(rows).score, restore(fitted(family))(rows).score)


@trained
def test_the_loss_falls_and_the_best_weights_are_kept(family):
    history = fitted(family).facts.history

    assert history[-1].validation < 0.9 * history[0].validation
    best = min(history, key=lambda check: check.validation)
    assert fitted(family).facts.best_step == best.step


@windowed
def test_faults_score_above_normal_rows(family, window):
    graph = Graph(fitted(family, window).graph)

    normal = graph.score(inputs(normal_rows(500, seed=4), window)).score
    faulty = graph.score(inputs(faulty_rows(500), window)).score

    wins = (faulty[:, None] > normal[None, :]).mean()
    assert wins > LEAST_WINS.get(family, 0.85)


@families
def test_the_size_of_a_batch_does_not_matter(family):
    graph = Graph(fitted(family).graph)
    rows = inputs(normal_rows(3000, seed=6), shortest(family))

    whole = graph.score(rows).score

    singly = np.concatenate([graph.score(rows[i : i + 1]).score for i in range(100)])
    by_seven = np.concatenate([graph.score(rows[i : i + 7]).score for i in range(0, len(rows), 7)])
    limit = 1e-5 * threshold(family)
    np.testing.assert_allclose(singly, whole[:100], rtol=1e-5, atol=limit)
    np.testing.assert_allclose(by_seven, whole, rtol=1e-5, atol=limit)


@families
def test_one_thread_and_two_threads_agree(family):
    rows = inputs(normal_rows(500, seed=4), shortest(family))
    graphs = [fit_small(family, train(500), steps=50, threads=n).graph for n in (1, 2)]

    one, two = (Graph(graph).score(rows).score for graph in graphs)

    np.testing.assert_allclose(one, two, rtol=1e-3)


@trained
def test_early_stopping_ends_a_fit_that_gains_nothing(family):
    # A rate so high that the loss does not keep falling.
    hasty = {"steps": 5000, "learning_rate": 0.2, "patience": 2}

    facts = fit_small(family, train(300), **hasty).facts

    assert facts.history[-1].step < 5000
    assert facts.best_step < facts.history[-1].step


@families
def test_rows_with_missing_values_are_refused(family):
    rows = timed(normal_rows(200))
    rows.loc[3, "flow"] = np.nan

    with pytest.raises(DataError, match=r"1 of 200 rows .* flow \(1\)"):
        fit_small(family, Block("train", rows))


@families
def test_a_calibration_block_is_refused(family):
    with pytest.raises(SplitReuseError, match="calibration block"):
        fit_small(family, Block("calibration", timed(normal_rows(200))))


@families
def test_too_few_rows_are_refused_with_value_and_limit(family):
    with pytest.raises(DataError, match=r"from 4 rows; at least 10"):
        fit_small(family, train(4))


@pytest.mark.parametrize("family", [name for name in MODELS if shortest(name) > 1])
def test_windows_that_are_too_short_are_refused_with_value_and_limit(family):
    short = shortest(family) - 1

    with pytest.raises(ConfigError, match=rf"have {short} row.*needs at least {short + 1}"):
        fit_small(family, train(200), window=short)


@families
def test_a_constant_feature_neither_breaks_the_fit_nor_hides_its_change(family):
    frame = timed(normal_rows(1000, seed=1).assign(flow=5.0))
    network = fit_small(family, Block("train", frame))
    graph = Graph(network.graph)

    same = graph.score(inputs(frame, shortest(family))).score
    changed = graph.score(inputs(frame.assign(flow=5.5), shortest(family))).score

    assert np.isfinite(changed).all()
    if family in BLIND_TO_CONSTANTS:
        assert any("will not notice" in remark for remark in network.facts.remarks)
    else:
        assert changed.min() > same.max()
