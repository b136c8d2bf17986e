import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.config.model import MaskedModel
from pipeline.data.split import Block
from pipeline.detector.inputs.frames import feature_values
from pipeline.detector.models.family import InputShape
from pipeline.detector.models.masked import MaskedEnsemble, build, hide, training_step
from pipeline.detector.training.fit import fit, restore
from tests.detector.plant import normal_rows, schema

SMALL = MaskedModel(members=3, width=8, passes=4)


def ensemble(rows=1, features=10, *, settings=SMALL, derivative=False) -> MaskedEnsemble:
    shape = InputShape(rows, features, derivative)
    made = build(settings, shape, torch.Generator().manual_seed(3))
    assert isinstance(made, MaskedEnsemble)
    for weight in made.weights:
        weight.data.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    return made


def rows(n, inputs, *, members=None):
    shape = (n, inputs) if members is None else (members, n, inputs)
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("window", "features"), [(1, 10), (3, 10), (1, 3), (2, 1)])
def test_each_feature_is_hidden_in_exactly_one_pass_in_all_rows_of_its_window(window, features):
    hands = ensemble(window, features).hands

    assert len(hands) == min(4, features)
    assert torch.equal(hands.sum(dim=0), torch.ones(3, 1, window * features))
    by_row = hands.reshape(len(hands), 3, window, features)
    assert torch.equal(by_row, by_row[:, :, :1].expand_as(by_row))
    assert (hands.sum(dim=-1) >= window).all()  # every pass hides something


@torch.no_grad()
@pytest.mark.parametrize("window", [1, 3])
def test_a_feature_is_judged_by_the_others_alone(window):
    made = ensemble(window)
    normal, wild = rows(20, 10 * window), rows(20, 10 * window)
    held = torch.arange(window) * 10 + 4
    wild[:, held] += 7.0

    change = (made(wild) - made(normal)).abs()

    assert change[..., held].max() == 0
    others = [column for column in range(10 * window) if column not in held.tolist()]
    assert change[..., others].amax(dim=(0, 1)).max() > 0


@torch.no_grad()
def test_all_passes_in_one_computation_equal_one_pass_after_another():
    made = ensemble()
    shown = rows(20, 10)
    shown[3, 5] = torch.nan
    hidden = made.hands.bool()

    singly = sum(
        made.one_pass(shown.expand(3, 20, 10).masked_fill(hand, torch.nan)) * hand
        for hand in hidden
    )

    torch.testing.assert_close(made(shown), singly)
    own = shown.expand(3, 20, 10).contiguous()
    torch.testing.assert_close(made(own), made(shown))


@torch.no_grad()
def test_missing_and_average_are_two_different_inputs():
    made = ensemble()
    absent, average = rows(20, 10), rows(20, 10)
    absent[:, 2], average[:, 2] = torch.nan, 0.0

    assert torch.isfinite(made(absent)).all()
    assert (made(absent) - made(average)).abs().mean() > 0.1


def test_hidden_shares_lie_in_the_configured_range():
    settings = MaskedModel(members=2, hidden=(0.2, 0.4))
    random = torch.Generator().manual_seed(1)

    hidden = hide(settings, ensemble(1, 500, settings=settings), rows(300, 500, members=2), random)

    shares = hidden.float().mean(dim=-1)
    assert 0.12 < float(shares.min()) < 0.24
    assert 0.36 < float(shares.max()) < 0.5


def test_in_windows_both_whole_features_and_single_cells_are_hidden():
    random = torch.Generator().manual_seed(1)

    hidden = hide(SMALL, ensemble(4, 10), rows(400, 40, members=3), random)

    by_row = hidden.reshape(3, 400, 4, 10)
    whole = (by_row == by_row[:, :, :1]).all(dim=2).all(dim=2)
    assert 0.4 < float(whole.float().mean()) < 0.65


def test_where_a_window_holds_differences_too_only_whole_features_are_hidden():
    random = torch.Generator().manual_seed(1)
    made = ensemble(4, 10, derivative=True)

    hidden = hide(SMALL, made, rows(50, 70, members=3), random)

    by_block = hidden.reshape(3, 50, 7, 10)
    assert torch.equal(by_block, by_block[:, :, :1].expand_as(by_block))


@pytest.mark.parametrize("visible", [0.0, 0.3])
def test_missing_values_do_not_count_in_the_loss(visible):
    settings = SMALL.model_copy(update={"visible": visible})
    shown = rows(50, 10, members=3)
    shown[:, :, 2] = torch.nan

    answer = training_step(settings, ensemble(), shown, torch.Generator().manual_seed(1), 0.0)

    assert torch.isfinite(answer.output).all()
    assert answer.counted is not None
    assert (answer.counted[..., 2] == 0).all()
    weights = answer.counted[..., [0, 1, *range(3, 10)]].unique().tolist()
    assert weights == pytest.approx(sorted({visible, 1.0}))


def test_longer_training_does_not_teach_it_to_copy():
    frame = normal_rows(800, seed=1)
    settings = MaskedModel(members=1, width=32, steps=600, batch_rows=64, patience=100)
    network = restore(fit(Block("train", frame), schema(), settings))
    seen = torch.from_numpy(feature_values(normal_rows(300, seed=2), schema()))
    noise = torch.randn(seen.shape, generator=torch.Generator().manual_seed(1))
    noise *= network.scaling.scale / 2

    with torch.no_grad():
        moved = network(seen + noise).reconstruction - network(seen).reconstruction

    scaled, noise = (moved / network.scaling.scale), noise / network.scaling.scale
    assert abs(float((scaled * noise).sum() / (noise**2).sum())) < 0.1


@pytest.mark.parametrize("hidden", [(0.5, 0.2), (-0.1, 0.5), (0.2, 1.1), (0.0, 0.0)])
def test_invalid_shares_are_refused(hidden):
    with pytest.raises(ValidationError, match=r"hidden is .* write \[lowest, highest\]"):
        MaskedModel(hidden=hidden)


def test_the_same_row_gets_the_same_reconstruction_in_any_batch():
    made = ensemble()
    with torch.no_grad():
        whole, alone = made(rows(50, 10)), made(rows(50, 10)[7:8])

    np.testing.assert_allclose(whole[:, 7:8], alone, rtol=1e-4, atol=1e-5)
