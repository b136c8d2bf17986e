"""Losses: zero where the output is right, positive elsewhere, and refused where they do not fit."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.config.family import Loss
from pipeline.config.model import Model
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.inputs.scaling import fit_scaler, ranges_of
from pipeline.detector.scores.losses import loss_of
from pipeline.detector.training.fit import fit, restore
from pipeline.errors import DataError
from tests.detector.plant import CHANNELS, schema

LOSSES = ("mse", "huber", "bce", "poisson")
RANDOM = np.random.default_rng(3)
SHARES = RANDOM.beta(2, 5, size=(500, len(CHANNELS))).astype(np.float32)
RATES = np.array([0.5, 5, 50, 500, 50_000])
COUNTS = RANDOM.poisson(RATES, size=(500, len(CHANNELS))).astype(np.float32)

losses = pytest.mark.parametrize("name", LOSSES)


def loss_for(name, rows=COUNTS):
    scaler = fit_scaler(rows, [True] * rows.shape[1])
    return loss_of(name, scaler, ranges_of(rows), rows=1), scaler


def scaled(rows, scaler):
    return torch.from_numpy(((rows - scaler.mean) / scaler.scale).astype(np.float32))


def perfect(name, loss, target):
    """The output that means `target`, within the ends that the loss can reach."""
    if name == "bce":
        return torch.logit(((target - loss.low) / loss.span).clamp(1e-4, 1 - 1e-4))
    if name == "poisson":
        return torch.log(((target - loss.zero) / loss.usual).clamp(min=1e-6))
    return target


def test_every_loss_of_the_configuration_is_there():
    assert set(LOSSES) == set(Loss.__args__)


@losses
def test_a_perfect_answer_costs_nothing_and_means_the_row(name):
    rows = np.quantile(COUNTS, [0.1, 0.5, 0.9], axis=0).astype(np.float32)
    loss, scaler = loss_for(name)
    target = scaled(rows, scaler)

    output = perfect(name, loss, target)

    assert loss(output, target).abs().max() < 1e-6
    torch.testing.assert_close(loss.reconstruction(output), target, atol=2e-3, rtol=1e-3)


@losses
@given(value=st.floats(-60, 60), output=st.floats(-60, 60))
def test_a_loss_is_finite_and_never_negative(name, value, output):
    loss, _ = loss_for(name)
    cells = loss(torch.full((1, 1, 5), output), torch.full((1, 5), value))

    assert torch.isfinite(cells).all()
    assert (cells >= 0).all()
    assert torch.isfinite(loss.reconstruction(torch.full((1, 1, 5), output))).all()


@losses
def test_the_further_a_value_is_from_the_output_the_more_it_costs(name):
    loss, _ = loss_for(name)
    output = perfect(name, loss, torch.zeros(1, 5))

    above = loss(output, torch.linspace(0.1, 50, 60)[:, None].repeat(1, 5))
    below = loss(output, torch.linspace(-0.1, -50, 60)[:, None].repeat(1, 5))

    assert (above.diff(dim=0) > 0).all()
    assert (below.diff(dim=0) > 0).all()


@losses
def test_every_loss_is_in_variances_near_the_answer(name):
    loss, _ = loss_for(name)
    output = perfect(name, loss, torch.zeros(1, 5))

    small = loss(output, torch.full((1, 5), 0.05))

    torch.testing.assert_close(small, torch.full_like(small, 0.0025), rtol=0.1, atol=0)


@losses
def test_each_row_of_a_window_is_judged_like_a_single_row(name):
    scaler = fit_scaler(COUNTS, [True] * 5)
    one, three = (loss_of(name, scaler, ranges_of(COUNTS), rows=rows) for rows in (1, 3))
    rows = scaled(COUNTS[:6], scaler)
    output = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))

    cells = three(output.reshape(2, 15), rows.reshape(2, 15))

    torch.testing.assert_close(cells.reshape(6, 5), one(output, rows))


def test_huber_grows_linearly_beyond_one_deviation():
    loss, _ = loss_for("huber")
    missed = torch.tensor([0.5, 1.0, 2.0, 10.0])

    assert loss(torch.zeros(4), missed).tolist() == [0.25, 1.0, 3.0, 19.0]


def test_bce_is_the_cross_entropy_less_its_least_value():
    rows = RANDOM.integers(0, 2, size=(500, 5)).astype(np.float32)
    loss, scaler = loss_for("bce", rows)
    output = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))

    cells = loss(output, scaled(rows[:7], scaler))

    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        output, torch.from_numpy(rows[:7]), reduction="none"
    )
    # Of a coin, variance is m (1 - m): the unit is 2. Ends count as 1e-4 from the end.
    torch.testing.assert_close(cells, 2 * wanted, atol=4e-3, rtol=1e-2)


def test_poisson_is_the_deviance_over_the_dispersion():
    loss, scaler = loss_for("poisson")
    output = 0.3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(1))

    cells = loss(output, scaled(COUNTS[:7], scaler))

    count = COUNTS[:7].astype(np.float64)
    mean, spread = np.array(scaler.mean), np.array(scaler.scale)
    rate = mean * np.exp(output.double().numpy())
    log = np.log(np.where(count > 0, count, 1) / rate)
    deviance = 2 * (np.where(count > 0, count * log, 0) - count + rate)
    np.testing.assert_allclose(cells.numpy(), deviance * mean / spread**2, rtol=1e-3, atol=1e-4)


def test_features_of_all_sizes_weigh_alike_under_poisson():
    loss, scaler = loss_for("poisson")

    usual = loss(torch.zeros(5), scaled(COUNTS, scaler)).mean(dim=0)

    assert usual.min() > 0.7
    assert usual.max() < 1.5


@pytest.mark.parametrize("name", ["bce", "poisson"])
def test_values_that_no_output_can_reach_still_cost(name):
    # Beyond the ends of a share, or below zero of a count: nothing may be clipped out of sight.
    loss, _ = loss_for(name)
    far = torch.full((1, 5), -40.0)
    best = torch.stack([loss(torch.full((1, 5), end), far) for end in (-60.0, 60.0)]).amin(dim=0)

    assert (best > 100).all()


def small(family, name, **changes):
    own = {"members": 2, "steps": 150, "batch_rows": 64, "loss": name, **changes}
    return TypeAdapter(Model).validate_python({"family": family, **own})


def related(kind):
    """Shares or counts of five channels that two hidden causes drive, in each other's order."""
    random = np.random.default_rng(11)
    causes = random.normal(size=(1500, 2)) @ np.random.default_rng(99).normal(size=(2, 5))
    if kind == "bce":
        values = 1 / (1 + np.exp(-(2 * causes + 0.1 * random.normal(size=causes.shape))))
    else:
        values = random.poisson(np.array([20, 50, 100, 500, 5000]) * np.exp(0.5 * causes))
    frame = pd.DataFrame(values.astype(np.float32), columns=list(CHANNELS))
    return frame.iloc[:1000], frame.iloc[1000:]


@losses
@pytest.mark.parametrize("family", ["dense", "denoising"])
def test_a_network_trained_with_a_loss_finds_rows_that_do_not_belong_together(family, name):
    normal, held = related(name)
    torn = pd.DataFrame({c: np.roll(held[c], 50 * k) for k, c in enumerate(CHANNELS)})

    fitted = fit(Block("train", normal), schema(), small(family, name, learning_rate=1e-2))

    rows = [frame.to_numpy(np.float32) for frame in (held, torn)]
    usual, faulty = (Graph(fitted.graph).score(part).score for part in rows)
    assert (faulty[:, None] > usual[None, :]).mean() > 0.85
    history = fitted.facts.history
    assert history[-1].validation < history[0].validation


@losses
def test_graph_and_network_agree_under_every_loss(name):
    normal, held = related(name)
    fitted = fit(Block("train", normal), schema(), small("dense", name))
    rows = held.to_numpy(np.float32)

    with torch.no_grad():
        judged = restore(fitted)(torch.from_numpy(rows))

    served = Graph(fitted.graph)
    limit = 1e-5 * float(judged.score.quantile(0.99))
    np.testing.assert_allclose(
        served.score(rows).score, judged.score.numpy(), rtol=1e-4, atol=limit
    )
    np.testing.assert_allclose(served.reconstruct(rows), judged.reconstruction, rtol=1e-3)


@pytest.mark.parametrize("name", ["bce", "poisson"])
def test_reconstructions_are_possible_values(name):
    normal, held = related(name)
    fitted = fit(Block("train", normal), schema(), small("dense", name, learning_rate=1e-2))

    made = Graph(fitted.graph).reconstruct(held.to_numpy(np.float32))

    assert made.min() >= -1e-4
    if name == "bce":
        assert made.max() <= 1 + 1e-4
    close = ((made - held) ** 2).mean() / held.var()
    assert (close < 0.5).all()


def test_counts_below_zero_are_refused_with_value_limit_and_fix():
    normal, _ = related("poisson")
    normal.loc[normal.index[:2], "flow"] = [-1.0, -3.5]

    with pytest.raises(DataError, match=r"'flow' is below 0 in 2 of .*-3\.5.*at least 0.*mse"):
        fit(Block("train", normal), schema(), small("dense", "poisson"))


def test_a_feature_that_was_always_zero_breaks_no_loss():
    normal, held = related("poisson")
    for name in LOSSES:
        fitted = fit(Block("train", normal.assign(flow=0.0)), schema(), small("dense", name))

        same, changed = (
            Graph(fitted.graph).score(held.assign(flow=value).to_numpy(np.float32)).score
            for value in (0.0, 20.0)
        )

        assert np.isfinite(changed).all(), name
        assert (changed > same).all(), name


def test_a_loss_has_no_weights_that_could_differ_from_the_facts():
    for name in LOSSES:
        assert not loss_for(name)[0].state_dict()
