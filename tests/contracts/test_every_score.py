"""Properties of every score with each family; a new one in SCORES is tested without a change."""

from functools import cache

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from pipeline.config.model import Model
from pipeline.config.score import Score
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.fitted import load_fitted, save_fitted
from pipeline.detector.scores import SCORES
from pipeline.detector.training.fit import fit, restore
from tests.detector.plant import CHANNELS, TEN_MINUTES, faulty_rows, normal_rows, timed

VARIANTS = {
    "reconstruction": [{"error": e} for e in ("plain", "standardised", "mahalanobis")]
    + [{"cap": 5.0}],
    "memory": [{}, {"rows": 60}, {"residual": 0.0}, {"neighbours": 1}],
}
KINDS = [
    pytest.param((kind, tuple(more.items())), id=" ".join([kind, *map(str, more.values())]))
    for kind in SCORES
    for more in VARIANTS.get(kind, [{}])
]
FAMILIES = {
    "denoising": {"members": 2, "width": 16, "steps": 100, "batch_rows": 64},
    "linear": {},
}
scores = pytest.mark.parametrize("score", KINDS)
families = pytest.mark.parametrize("family", FAMILIES)
windowed = pytest.mark.parametrize("window", [1, 3])


def schema(*, window=1, context=()):
    return Schema(
        context=context,
        features=CHANNELS,
        units=("1",) * len(CHANNELS),
        window=window,
        timestamp="timestamp",
        entity=None,
        cadence_s=TEN_MINUTES,
        source_columns=None,
    )


def fresh(score, family="denoising", *, rows=600, seed=42, **shape):
    kind, more = score
    return fit(
        Block("train", timed(normal_rows(rows, seed=1))),
        schema(**shape),
        TypeAdapter(Model).validate_python({"family": family, "seed": seed, **FAMILIES[family]}),
        TypeAdapter(Score).validate_python({"kind": kind, **dict(more)}),
    )


fitted = cache(fresh)


def inputs(frame, window=1):
    rows = feature_values(frame, schema())
    return np.hstack([rows[k : len(rows) - window + 1 + k] for k in range(window)])


@scores
@families
@windowed
def test_what_the_features_add_is_not_negative_and_makes_the_score(score, family, window):
    graph = Graph(fitted(score, family, window=window).graph)

    scored = graph.score(inputs(faulty_rows(200), window))

    assert (scored.error >= 0).all()
    assert scored.error.shape == (len(scored.score), len(CHANNELS))
    np.testing.assert_allclose(scored.error.sum(axis=1), scored.score, rtol=1e-5)


@scores
@families
@windowed
def test_faults_score_above_normal_rows(score, family, window):
    graph = Graph(fitted(score, family, window=window).graph)

    normal = graph.score(inputs(normal_rows(300, seed=4), window)).score
    faulty = graph.score(inputs(faulty_rows(300), window)).score

    assert (faulty[:, None] > normal[None, :]).mean() > 0.8


@scores
def test_it_is_finite_and_high_far_away(score):
    graph = Graph(fitted(score).graph)
    far = inputs(normal_rows(20)) * np.float32([1e30, -1e30, 1, 1e15, 1])

    scored = graph.score(far)

    assert np.isfinite(scored.score).all()
    assert np.isfinite(scored.error).all()
    assert scored.score.min() > graph.score(inputs(normal_rows(300))).score.max()


@scores
def test_neither_the_order_of_rows_nor_the_size_of_a_batch_matters(score):
    graph = Graph(fitted(score).graph)
    rows = inputs(normal_rows(300, seed=6))
    order = np.random.default_rng(0).permutation(len(rows))

    whole = graph.score(rows).score

    limit = 1e-5 * float(np.quantile(whole, 0.99))
    shuffled = graph.score(rows[order]).score
    singly = np.concatenate([graph.score(rows[at : at + 1]).score for at in range(50)])
    np.testing.assert_allclose(shuffled, whole[order], rtol=1e-5, atol=limit)
    np.testing.assert_allclose(singly, whole[:50], rtol=1e-5, atol=limit)


@scores
@families
@windowed
def test_what_is_restored_from_disk_scores_as_what_was_fitted(score, family, window, tmp_path):
    save_fitted(fitted(score, family, window=window), tmp_path)
    rows = inputs(faulty_rows(100), window)

    with torch.no_grad():
        by_torch = restore(load_fitted(tmp_path))(torch.from_numpy(rows)).score.numpy()

    by_graph = Graph(fitted(score, family, window=window).graph).score(rows).score
    np.testing.assert_allclose(by_torch, by_graph, rtol=1e-4)


@scores
@families
def test_context_does_not_count(score, family):
    graph = Graph(fitted(score, family, context=("load",)).graph)

    scored = graph.score(inputs(faulty_rows(100)))

    assert (scored.error[:, CHANNELS.index("load")] == 0).all()
    assert (scored.error[:, CHANNELS.index("flow")] > 0).any()


@scores
def test_the_same_seed_gives_the_same_bytes_whatever_the_global_random_state(score):
    torch.manual_seed(1)
    first = fresh(score, "linear", rows=200)
    torch.manual_seed(2)
    again = fresh(score, "linear", rows=200)

    assert first.graph == again.graph


@scores
def test_a_change_of_one_features_unit_changes_no_score(score):
    unit = np.array([1e3, 1, 1, 1, 1])
    frame = normal_rows(300, seed=1)
    judged = normal_rows(300, seed=4)
    usual = Graph(fit_on(score, frame).graph).score(inputs(judged)).score

    other = Graph(fit_on(score, frame * unit).graph).score(inputs(judged * unit)).score

    np.testing.assert_allclose(other, usual, rtol=0.02, atol=0.01 * usual.max())


def fit_on(score, frame):
    kind, more = score
    model = TypeAdapter(Model).validate_python({"family": "linear"})
    how = TypeAdapter(Score).validate_python({"kind": kind, **dict(more)})
    return fit(Block("train", timed(frame)), schema(), model, how)
