"""Fine-tuning on a plant whose normal state moves: it follows, forgets little, needs few steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.config import DenoisingModel, FineTuning, ReconstructionScore
from pipeline.config.family import Fitted
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.training.fit import fit, restore
from pipeline.detector.training.warm_start import WarmStart, refuse_other, tuned
from pipeline.errors import BundleError
from pipeline.evaluation.diagnostics import diagnose
from tests.detector.plant import CHANNELS, normal_rows, schema, timed

CHAMPION = DenoisingModel(members=2, width=64, steps=1000, batch_rows=64)
GENTLY = FineTuning(steps=300, learning_rate=1e-3, replay_share=0.5)


def winter(rows: int, *, seed: int) -> pd.DataFrame:
    return normal_rows(rows, seed=seed)


def spring(rows: int, *, seed: int) -> pd.DataFrame:
    """The same plant, run harder than ever in winter: what drives it has moved two deviations."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(2, len(CHANNELS)))
    causes = random.normal(size=(rows, 2)) + np.array([2.0, -2.0])
    values = np.tanh(causes @ mixing) + 0.1 * random.normal(size=(rows, len(CHANNELS)))
    units = np.array([1.0, 1000.0, 0.01, 50.0, 5.0])
    offsets = np.array([0.0, 5000.0, 0.0, 1013.0, 20.0])
    return pd.DataFrame(values * units + offsets, columns=list(CHANNELS))


@cache
def champion() -> FittedNetwork:
    return fit(Block("train", winter(2000, seed=1)), schema(), CHAMPION)


def start(share: float = 0.5) -> WarmStart:
    return WarmStart(champion(), Block("train", winter(1500, seed=2)), share)


@cache
def fine_tuned(share: float = 0.5) -> FittedNetwork:
    block = Block("train", spring(1000, seed=3))
    return fit(block, schema(), tuned(CHAMPION, GENTLY), start=start(share))


def _fine_tuned_from(seed: int, share: float) -> FittedNetwork:
    model = CHAMPION.model_copy(update={"seed": seed})
    first = fit(Block("train", winter(2000, seed=1)), schema(), model)
    older = Block("train", winter(1500, seed=2))
    block = Block("train", spring(1000, seed=3))
    return fit(block, schema(), tuned(model, GENTLY), start=WarmStart(first, older, share))


def error(fitted: FittedNetwork, frame: pd.DataFrame) -> float:
    rows = frame[list(CHANNELS)].to_numpy(np.float32)
    found = diagnose(Graph(fitted.graph).reconstruct, rows, seed=0).median_error
    assert found is not None
    return found


def test_it_follows_the_new_normal_and_keeps_the_old() -> None:
    new, old = spring(500, seed=8), winter(500, seed=9)

    assert error(fine_tuned(), new) < 0.7 * error(champion(), new)
    assert error(fine_tuned(), old) <= 1.2 * error(champion(), old)
    assert fine_tuned().facts.best_step <= CHAMPION.steps / 3


def test_without_older_rows_it_forgets() -> None:
    old = winter(500, seed=9)

    # One seed may forget little by luck; together they do not.
    forgot, kept = (
        sum(error(_fine_tuned_from(seed, share), old) for seed in range(5)) for share in (0.01, 0.5)
    )

    assert forgot > 1.2 * kept


def test_few_steps_from_new_weights_reach_less() -> None:
    block = Block("train", pd.concat([spring(1000, seed=3), winter(1000, seed=2)]))
    anew = fit(block, schema(), tuned(CHAMPION, GENTLY))

    for rows in (spring(500, seed=8), winter(500, seed=9)):
        assert error(fine_tuned(), rows) < error(anew, rows)


def test_the_same_input_gives_the_same_bytes_and_leaves_random_state_alone() -> None:
    before = torch.get_rng_state()
    block = Block("train", spring(1000, seed=3))

    again = fit(block, schema(), tuned(CHAMPION, GENTLY), start=start())

    assert again.graph == fine_tuned().graph
    assert all(np.array_equal(again.weights[n], fine_tuned().weights[n]) for n in again.weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_keeps_the_scaler_of_its_weights() -> None:
    assert fine_tuned().facts.scaler == champion().facts.scaler
    assert restore(fine_tuned()).eval()


def test_its_ranges_grow_and_never_shrink() -> None:
    before, after = champion().facts.ranges, fine_tuned().facts.ranges

    assert all(a <= b for a, b in zip(after.lowest, before.lowest, strict=True))
    assert all(a >= b for a, b in zip(after.highest, before.highest, strict=True))


def test_weights_that_output_shares_keep_the_ranges_of_their_first_fit() -> None:
    shares = CHAMPION.model_copy(update={"steps": 200, "loss": "bce"})
    first = fit(Block("train", winter(600, seed=1)), schema(), shares)
    hardly = tuned(shares, FineTuning(steps=1, learning_rate=1e-9))
    older, probe = Block("train", winter(300, seed=2)), winter(100, seed=9).to_numpy(np.float32)
    made = Graph(first.graph).reconstruct(probe)

    again = first
    for seed in (3, 4):  # the second goes on from what has gone on
        block = Block("train", spring(300, seed=seed))
        again = fit(block, schema(), hardly, start=WarmStart(again, older, 0.5))

    assert again.facts.ranges != first.facts.ranges
    np.testing.assert_allclose(Graph(again.graph).reconstruct(probe), made, rtol=1e-4)
    with torch.no_grad():
        by_torch = restore(again)(torch.from_numpy(probe)).score.numpy()
    np.testing.assert_allclose(by_torch, Graph(again.graph).score(probe).score, rtol=1e-4)


def test_context_is_read_as_far_as_the_new_rows_go() -> None:
    judged = replace(schema(), context=("temperature",))
    small = CHAMPION.model_copy(update={"steps": 60})
    cold = fit(Block("train", winter(400, seed=1)), judged, small)
    warm_rows = winter(400, seed=3)
    warm_rows["temperature"] += 50

    older = Block("train", winter(400, seed=2))
    warm = fit(Block("train", warm_rows), judged, small, start=WarmStart(cold, older, 0.5))

    at = CHANNELS.index("temperature")
    assert warm.facts.scaler.highest[at] > cold.facts.scaler.highest[at] + 5
    assert warm.facts.scaler.lowest == cold.facts.scaler.lowest
    assert warm.facts.scaler.highest[:at] == cold.facts.scaler.highest[:at]


def test_older_windows_make_up_their_share() -> None:
    facts = fine_tuned(0.25).facts

    assert facts.rows_train == pytest.approx(900 / 0.75, rel=0.01)
    assert facts.rows_validation == pytest.approx(100 / 0.75, rel=0.05)


def test_windows_and_time_are_carried_over() -> None:
    timed_schema = schema(window=3, timed=True)
    small = CHAMPION.model_copy(update={"steps": 60})
    old = Block("train", timed(winter(600, seed=1)))
    first = fit(old, timed_schema, small)

    new = Block("train", timed(spring(400, seed=3), start="2024-03-01"))
    second = fit(new, timed_schema, small, start=WarmStart(first, old, 0.5))

    assert second.facts.schema == first.facts.schema
    assert second.facts.rows_train > 600


@pytest.mark.parametrize(
    ("schema_change", "model_change", "named"),
    [
        ({"features": (*CHANNELS[:-1], "vibration")}, {}, "features is"),
        ({"context": ("load",)}, {}, "context is"),
        ({"window": 2}, {}, "window is 2, and 1 in the version"),
        ({}, {"loss": "huber"}, "model.loss is 'huber', and 'mse'"),
        ({}, {"family": "masked"}, "model.family is 'masked', and 'denoising'"),
    ],
)
def test_another_network_is_refused_with_what_differs_and_the_fix(
    schema_change: dict[str, object], model_change: dict[str, object], named: str
) -> None:
    asked = replace(schema(), **schema_change)
    model = CHAMPION.model_copy(update=model_change)

    with pytest.raises(BundleError, match=named) as refused:
        refuse_other(champion().facts, asked, model)

    assert "without warm_start" in str(refused.value)


def test_a_network_of_another_size_is_refused() -> None:
    wider = CHAMPION.model_copy(update={"width": 48})

    with pytest.raises(BundleError, match="another size"):
        fit(Block("train", spring(100, seed=3)), schema(), wider, start=start())


def test_a_family_that_is_not_trained_step_by_step_cannot_be_fine_tuned() -> None:
    class Closed(Fitted):
        family: str = "closed"

    with pytest.raises(BundleError, match="'closed' is fitted in one go"):
        tuned(Closed(), GENTLY)


def test_another_score_may_be_chosen_with_the_same_weights() -> None:
    plain = ReconstructionScore(error="plain")
    block = Block("train", spring(300, seed=3))

    made = fit(block, schema(), tuned(CHAMPION, GENTLY), plain, start=start())

    assert made.facts.score["error"] == "plain"
