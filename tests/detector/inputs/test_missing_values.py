"""Training on rows with missing values, and scoring them."""

import numpy as np
import pytest
import torch

from pipeline.config import DenoisingModel
from pipeline.config.score import MemoryScore, ReconstructionScore
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.inputs.missing_values import MissingValues
from pipeline.detector.training.fit import fit, restore
from pipeline.errors import ConfigError, DataError
from tests.detector.missing_values import (
    CHANNELS,
    MASKED,
    QUICK,
    faulty,
    fitted,
    graph,
    schema,
    threshold,
    values,
    whole,
    with_missing,
)


def test_a_row_with_a_missing_value_scores_like_the_whole_row():
    frame = whole(1000, seed=3)
    rows = values(frame)
    scores = graph().score(rows).score

    alike = []
    for column in range(len(CHANNELS)):
        gappy = rows.copy()
        gappy[:, column] = np.nan
        found = graph().score(gappy).score
        alike.append(np.corrcoef(np.log(found), np.log(scores))[0, 1])
        assert 0.8 < np.median(found) / np.median(scores) < 1.6

    assert np.median(alike) > 0.85
    assert min(alike) > 0.7


def test_a_fault_is_flagged_although_another_value_is_missing():
    frame = faulty(500, seed=4)
    far = np.abs(frame["c03"] - frame["c03"][::-1].to_numpy()) > 2 * frame["c03"].std()
    rows = values(frame[far])
    caught = graph().score(rows).score > threshold()
    gappy = rows.copy()
    gappy[:, 8] = np.nan

    still = graph().score(gappy).score > threshold()

    assert caught.mean() > 0.4
    assert still[caught].mean() > 0.85


def test_the_faulty_value_itself_missing_leaves_a_normal_row():
    rows = values(faulty(1000, seed=4))
    rows[:, 3] = np.nan

    assert (graph().score(rows).score > threshold()).mean() < 0.03


def test_the_threshold_keeps_its_rate_on_fresh_rows_with_missing_values():
    rows = values(with_missing(whole(20_000, seed=5), seed=5))

    assert 0.005 < (graph().score(rows).score > threshold()).mean() < 0.017


def test_nothing_is_filled_in_neither_with_zero_nor_with_the_mean():
    # Rows far from the mean: a filled-in mean contradicts all other channels, a gap does not.
    frame = whole(20_000, seed=6)
    mean = np.array(fitted().facts.scaler.mean, dtype=np.float32)
    away = np.abs(values(frame)[:, 3] - mean[3]) > 2.2 * fitted().facts.scaler.scale[3]
    rows = values(frame)[away]
    gappy, filled, zero = rows.copy(), rows.copy(), rows.copy()
    gappy[:, 3], filled[:, 3], zero[:, 3] = np.nan, mean[3], 0.0

    absent = graph().score(gappy)

    assert (absent.score > threshold()).mean() < 0.15
    assert (absent.error[:, 3] == 0).all()
    for made_up in (filled, zero):
        assert (graph().score(made_up).score > threshold()).mean() > 0.3
    # Nor does the network treat a missing value as the mean when it reconstructs the others.
    others = [column for column in range(len(CHANNELS)) if column != 3]
    difference = graph().reconstruct(gappy)[:, others] - graph().reconstruct(filled)[:, others]
    assert (np.abs(difference) / np.array(fitted().facts.scaler.scale)[others]).max(
        axis=0
    ).min() > 0.05


def test_what_is_present_adds_up_to_the_score_and_the_absent_is_reconstructed():
    rows = values(with_missing(whole(500, seed=7), seed=7))
    rows[0, 1:] = np.nan  # one value is left

    scored = graph().score(rows)

    np.testing.assert_allclose(scored.error.sum(axis=1), scored.score, rtol=1e-5)
    assert np.isfinite(scored.score).all()
    assert (scored.error[np.isnan(rows)] == 0).all()
    made = graph().reconstruct(rows)
    truth = values(whole(500, seed=7))
    missed = (made - truth)[1:][np.isnan(rows[1:])] / np.broadcast_to(
        fitted().facts.scaler.scale, rows.shape
    )[1:][np.isnan(rows[1:])]
    assert np.sqrt((missed**2).mean()) < 0.6  # the mean would miss by 1


def test_what_is_left_of_a_row_counts_for_all_of_it():
    nan = float("nan")
    error = torch.tensor([[1.0, 2.0, 3.0, 0.0], [1.0, 0.0, 3.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    rows = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, nan, 0.0, nan], [nan, 0.0, nan, 0.0]])
    judged = MissingValues((True, True, True, False), window=1)  # the last one is context

    assert judged(error, rows).sum(dim=1).tolist() == [6.0, 1.5 * 4.0, 3.0 * 2.0]


def test_a_feature_seen_in_one_row_of_a_window_counts_for_all_its_rows():
    nan = float("nan")
    error = torch.tensor([[0.5, 2.0], [0.0, 2.0]])
    windows = torch.tensor([[0.0, 0.0, nan, 0.0], [nan, 0.0, nan, 0.0]])  # two rows of two

    found = MissingValues((True, True), window=2)(error, windows)

    assert found.tolist() == [[1.0, 2.0], [0.0, 4.0]]


def test_network_and_graph_agree_on_missing_values():
    rows = values(with_missing(whole(500, seed=8), seed=8, share=0.4))

    with torch.no_grad():
        by_torch = restore(fitted())(torch.from_numpy(rows)).score.numpy()

    np.testing.assert_allclose(
        graph().score(rows).score, by_torch, rtol=1e-4, atol=1e-5 * threshold()
    )


def test_the_same_seed_gives_the_same_bytes_with_missing_values():
    block = Block("train", with_missing(whole(300, seed=1), seed=1))

    first, again = (fit(block, schema(), QUICK) for _ in range(2))

    assert first.graph == again.graph


def test_a_missing_value_in_an_old_row_of_a_window_weakens_only_that_feature():
    frame = whole(1500, seed=1)
    trained = fit(Block("train", with_missing(frame, seed=1)), schema(window=3), QUICK)
    served = Graph(trained.graph)
    rows = np.hstack([values(frame)[k : k + 500] for k in range(3)])
    gappy = rows.copy()
    gappy[:, 4] = np.nan  # of the oldest of three rows

    before, after = served.score(rows), served.score(gappy)

    assert (after.error[:, 4] > 0).all()  # the two other rows count for it
    assert np.corrcoef(np.log(before.score), np.log(after.score))[0, 1] > 0.95
    with torch.no_grad():
        by_torch = restore(trained)(torch.from_numpy(gappy)).score.numpy()
    np.testing.assert_allclose(after.score, by_torch, rtol=1e-4)


@pytest.mark.parametrize(
    "score",
    [
        ReconstructionScore(error="plain"),
        ReconstructionScore(error="mahalanobis"),
        MemoryScore(rows=200),
    ],
    ids=["plain", "mahalanobis", "memory"],
)
def test_every_kind_of_score_takes_missing_values(score):
    served = Graph(
        fit(Block("train", with_missing(whole(1000, seed=1), seed=1)), schema(), QUICK, score).graph
    )

    normal = served.score(values(with_missing(whole(500, seed=9), seed=9))).score
    odd = served.score(values(with_missing(faulty(500, seed=4), seed=10))).score

    assert np.isfinite(normal).all()
    assert np.isfinite(odd).all()
    assert (odd[:, None] > normal[None, :]).mean() > 0.6


def test_context_that_is_missing_changes_no_weight():
    seen = schema(context=("c00",))
    served = Graph(fit(Block("train", with_missing(whole(500, seed=1), seed=1)), seen, QUICK).graph)
    rows = values(whole(100, seed=2))
    rows[:, 0] = np.nan

    scored = served.score(rows)

    assert (scored.error[:, 0] == 0).all()
    assert (scored.error[:, 1:] > 0).mean() > 0.99


def test_a_feature_that_never_occurs_is_refused_by_name():
    frame = whole(300, seed=1).assign(c05=np.nan)

    with pytest.raises(DataError, match=r"c05: missing in all 300 training rows"):
        fit(Block("train", frame), schema(), MASKED)


def test_other_families_refuse_the_setting_and_name_the_fix():
    model = DenoisingModel(members=2, width=16, steps=30)

    with pytest.raises(ConfigError, match=r"missing_cells is 0\.5 .*'denoising'.* to masked"):
        fit(Block("train", whole(300, seed=1)), schema(), model)


def test_masked_refuses_missing_values_too_unless_they_are_allowed():
    frame = with_missing(whole(300, seed=1), seed=1)

    with pytest.raises(DataError, match=r"validation\.missing_cells"):
        fit(Block("train", frame), schema(missing=0.0), MASKED)


def test_training_on_missing_values_costs_little_on_whole_rows():
    clean = Graph(fit(Block("train", whole(2000, seed=1)), schema(missing=0.0), MASKED).graph)
    normal, odd = values(whole(500, seed=12)), values(faulty(500, seed=13))

    def wins(served):
        low, high = served.score(normal).score, served.score(odd).score
        return (high[:, None] > low[None, :]).mean()

    assert wins(graph()) > wins(clean) - 0.05


def test_the_ranges_and_the_scaler_are_those_of_the_values_that_are_present():
    frame = whole(2000, seed=1)
    full = fit(Block("train", frame), schema(), QUICK).facts
    gappy = fitted().facts

    np.testing.assert_allclose(gappy.scaler.scale, full.scaler.scale, rtol=0.05)
    assert np.isfinite(gappy.ranges.lowest).all()
    width = np.subtract(full.ranges.highest, full.ranges.lowest)
    assert (np.abs(np.subtract(gappy.ranges.highest, full.ranges.highest)) < 0.2 * width).all()
