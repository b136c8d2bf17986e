"""What every model family must do; a new one in MODELS is tested without a line here."""

from functools import cache

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from pipeline.config import Threshold
from pipeline.config.model import Model
from pipeline.data.split import Block
from pipeline.detector.calibration import calibrate
from pipeline.detector.fitted import load_fitted, save_fitted
from pipeline.detector.frames import feature_values
from pipeline.detector.graph import Graph
from pipeline.detector.models import MODELS
from pipeline.detector.training import fit, restore
from pipeline.errors import DataError, SplitReuseError
from tests.detector.plant import CHANNELS, faulty_rows, normal_rows, schema, timed

families = pytest.mark.parametrize("family", MODELS)
windowed = pytest.mark.parametrize("window", [1, 3])


def settings(family, **changes):
    small = {"members": 2, "width": 16, "steps": 150, "batch_rows": 64, **changes}
    return TypeAdapter(Model).validate_python({"family": family, **small})


def train(rows=1500):
    return Block("train", timed(normal_rows(rows, seed=1)))


@cache
def fitted(family, window=1):
    return fit(train(), schema(window=window, timed=True), settings(family))


@cache
def threshold(family, window=1):
    block = Block("calibration", timed(normal_rows(600, seed=2), start="2024-03-01"))
    drawn = calibrate(
        block,
        schema(window=window, timed=True),
        Graph(fitted(family, window).graph).score,
        Threshold(),
    )
    return drawn.threshold.value


def inputs(frame, window=1):
    rows = feature_values(frame, schema())
    return np.hstack([rows[k : len(rows) - window + 1 + k] for k in range(window)])


@families
@windowed
def test_it_keeps_the_shape(family, window):
    graph = Graph(fitted(family, window).graph)
    rows = inputs(normal_rows(20), window)

    scored = graph.score(rows)

    assert scored.score.shape == (len(rows),)
    assert scored.error.shape == (len(rows), len(CHANNELS))
    assert graph.reconstruct(rows).shape == rows.shape


@families
@windowed
def test_the_errors_of_the_features_add_up_to_the_score(family, window):
    scored = Graph(fitted(family, window).graph).score(inputs(normal_rows(50), window))

    np.testing.assert_allclose(scored.error.sum(axis=1), scored.score, rtol=1e-5)
    assert (scored.score >= 0).all()


@families
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(family):
    first, again = (fit(train(300), schema(), settings(family, steps=30)) for _ in range(2))
    other = fit(train(300), schema(), settings(family, steps=30, seed=7))

    assert first.graph == again.graph
    assert first.graph != other.graph
    assert first.facts.history == again.facts.history


@families
def test_global_random_state_is_neither_read_nor_changed(family):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global state is the point
    before = torch.get_rng_state(), torch.get_num_threads()

    first = fit(train(300), schema(), settings(family, steps=30))
    torch.manual_seed(2)
    second = fit(train(300), schema(), settings(family, steps=30))

    torch.manual_seed(1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == torch.get_num_threads()
    assert first.graph == second.graph


@families
@windowed
def test_network_and_graph_agree(family, window):
    rows = inputs(normal_rows(500, seed=3), window)

    with torch.no_grad():
        by_torch = restore(fitted(family, window))(torch.from_numpy(rows)).score.numpy()

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
    rows = torch.from_numpy(inputs(normal_rows(50)))
    assert torch.equal(restore(loaded)(rows).score, restore(fitted(family))(rows).score)


@families
def test_the_loss_falls_and_the_best_weights_are_kept(family):
    history = fitted(family).facts.history

    assert history[-1].validation < 0.9 * history[0].validation
    best = min(history, key=lambda check: check.validation)
    assert fitted(family).facts.best_step == best.step


@families
@windowed
def test_faults_score_above_normal_rows(family, window):
    graph = Graph(fitted(family, window).graph)

    normal = graph.score(inputs(normal_rows(500, seed=4), window)).score
    faulty = graph.score(inputs(faulty_rows(500), window)).score

    wins = (faulty[:, None] > normal[None, :]).mean()
    assert wins > 0.85


@families
def test_the_size_of_a_batch_does_not_matter(family):
    graph = Graph(fitted(family).graph)
    rows = inputs(normal_rows(3000, seed=6))

    whole = graph.score(rows).score

    singly = np.concatenate([graph.score(rows[i : i + 1]).score for i in range(100)])
    by_seven = np.concatenate([graph.score(rows[i : i + 7]).score for i in range(0, 3000, 7)])
    limit = 1e-5 * threshold(family)
    np.testing.assert_allclose(singly, whole[:100], rtol=1e-5, atol=limit)
    np.testing.assert_allclose(by_seven, whole, rtol=1e-5, atol=limit)


@families
def test_one_thread_and_two_threads_agree(family):
    rows = inputs(normal_rows(500, seed=4))
    graphs = [
        fit(train(500), schema(), settings(family, steps=50), threads=n).graph for n in (1, 2)
    ]

    one, two = (Graph(graph).score(rows).score for graph in graphs)

    np.testing.assert_allclose(one, two, rtol=1e-3)


@families
def test_early_stopping_ends_a_fit_that_gains_nothing(family):
    # A rate so high that the loss does not keep falling.
    hasty = settings(family, steps=5000, learning_rate=0.2, patience=2)

    facts = fit(train(300), schema(), hasty).facts

    assert facts.history[-1].step < 5000
    assert facts.best_step < facts.history[-1].step


@families
def test_rows_with_holes_are_refused(family):
    holed = normal_rows(200)
    holed.loc[3, "flow"] = np.nan

    with pytest.raises(DataError, match=r"1 of 200 rows .* flow \(1\)"):
        fit(Block("train", holed), schema(), settings(family))


@families
def test_a_calibration_block_is_refused(family):
    with pytest.raises(SplitReuseError, match="calibration block"):
        fit(Block("calibration", normal_rows(200)), schema(), settings(family))


@families
def test_too_few_rows_are_refused_with_value_and_limit(family):
    with pytest.raises(DataError, match=r"from 4 rows; at least 10"):
        fit(Block("train", normal_rows(4)), schema(), settings(family))


@families
def test_a_constant_feature_neither_breaks_the_fit_nor_hides_its_change(family):
    frame = normal_rows(1000, seed=1).assign(flow=5.0)
    fit_constant = fit(Block("train", frame), schema(), settings(family))
    graph = Graph(fit_constant.graph)

    same = graph.score(inputs(frame)).score
    changed = graph.score(inputs(frame.assign(flow=5.5))).score

    assert np.isfinite(changed).all()
    assert changed.min() > same.max()
