import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.ensemble import IsolationForest

from pipeline.config.model import IsolationForestModel
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.models.family import InputShape, TrainingContext
from pipeline.detector.models.isolation_forest import ISOLATION_FOREST, _float32_below
from pipeline.detector.scores.losses import SquaredError
from pipeline.detector.training.fit import fit
from tests.detector.plant import normal_rows, schema, timed

SEED = 5


def rows(count, seed=0):
    """Some features have few values, so that split values and rows are often equal."""
    random = np.random.default_rng(seed)
    values = np.column_stack([random.normal(size=(count, 3)), random.integers(0, 3, (count, 2))])
    return torch.from_numpy(values.astype(np.float32))


def grown(train, **changes):
    settings = IsolationForestModel(**changes)
    generator = torch.Generator().manual_seed(SEED)
    forest = ISOLATION_FOREST.build(settings, InputShape(1, 5), generator)
    ISOLATION_FOREST.learn(
        settings, forest, TrainingContext(train, rows(20, 9), None, SquaredError(), generator)
    )
    return ISOLATION_FOREST.scoring(forest)


def by_sklearn(train, probe, *, trees, samples):
    seed = int(torch.randint(2**31 - 1, (), generator=torch.Generator().manual_seed(SEED)))
    model = IsolationForest(
        n_estimators=trees, max_samples=min(samples, len(train)), random_state=seed
    ).fit(train.numpy())
    return -model.score_samples(probe.numpy())


@pytest.mark.parametrize(("count", "samples"), [(1000, 256), (1000, 100), (60, 256), (1000, 2)])
def test_its_score_is_that_of_scikit_learn(count, samples):
    train, probe = rows(count), torch.cat([rows(300, 1), 5 * rows(100, 2), rows(count)])

    score = grown(train, trees=30, samples=samples)(probe, probe, probe).sum(dim=1)

    expected = by_sklearn(train, probe, trees=30, samples=samples)
    np.testing.assert_allclose(score.numpy(), expected, atol=1e-5)


def test_the_feature_that_is_far_out_gets_the_largest_share():
    probe = rows(200, 1)
    probe[:, 1] = 8.0

    parts = grown(rows(1000))(probe, probe, probe)

    assert (parts.argmax(dim=1) == 1).float().mean() > 0.95
    assert (parts >= 0).all()


def test_the_score_of_a_row_that_no_split_isolates_is_divided_evenly():
    same = torch.ones(100, 5)

    parts = grown(same, trees=5)(same, same, same)

    assert torch.allclose(parts, parts[:, :1].expand(-1, 5))


def test_its_score_is_its_own_whatever_the_loss_of_the_mean_row():
    fitted = fit(Block("train", normal_rows(500)), schema(), IsolationForestModel(trees=20))
    graph = Graph(fitted.graph)
    probe = normal_rows(100, seed=1).to_numpy(np.float32)

    score = graph.score(probe).score

    assert 0 < score.min() < score.max() < 1
    assert np.ptp(graph.reconstruct(probe), axis=0).max() == 0


def test_windows_add_up_the_shares_of_their_rows():
    fitted = fit(
        Block("train", timed(normal_rows(500))),
        schema(window=3, timed=True),
        IsolationForestModel(trees=20),
    )
    probe = np.tile(normal_rows(50, seed=1).to_numpy(np.float32), 3)
    graph = Graph(fitted.graph)
    before = graph.score(probe).error.mean(axis=0)
    probe[:, 5 + 3] += 1000  # the fourth channel, in the row in the middle

    gained = graph.score(probe).error.mean(axis=0) - before

    assert np.delete(gained, 3).max() < 0 < gained[3]


def test_serving_it_needs_no_scikit_learn(tmp_path):
    fitted = fit(Block("train", normal_rows(300)), schema(), IsolationForestModel(trees=5))
    (tmp_path / "model.onnx").write_bytes(fitted.graph)
    program = (
        "import sys, numpy as np; from pipeline.detector.bundle.graph import Graph;"
        f"Graph(open({str(tmp_path / 'model.onnx')!r}, 'rb').read())"
        ".score(np.zeros((3, 5), np.float32));"
        "sys.exit(any(name.split('.')[0] in ('sklearn', 'torch') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_splits_in_float32_separate_float32_rows_as_the_exact_ones_do():
    exact = np.random.default_rng(0).normal(size=1000)
    near = np.concatenate([np.nextafter(np.float32(exact), s, dtype=np.float32) for s in (-9, 9)])

    rounded = _float32_below(exact)

    for row in (np.float32(exact), near[:1000], near[1000:]):
        assert ((row > rounded) == (row.astype(np.float64) > exact)).all()


def test_it_reconstructs_nothing_so_it_has_no_diagnosis_of_a_network():
    forest = IsolationForestModel(trees=5, samples=32)

    assert not fit(Block("train", normal_rows(300)), schema(), forest).facts.by_reconstruction
