import pytest
import torch
from pydantic import ValidationError

from pipeline.config.model import TransformerModel
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape

FAMILY = MODELS["transformer"]
SHAPE = InputShape(5, 3)


def ensemble():
    return FAMILY.build(TransformerModel(members=1), SHAPE, torch.Generator().manual_seed(0))


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(ValidationError, match="a width of 30 cannot be shared by 4 heads"):
        TransformerModel(width=30)


def test_each_row_looks_at_all_others():
    windows = torch.randn(1, SHAPE.inputs, generator=torch.Generator().manual_seed(1))
    windows.requires_grad_()

    oldest = ensemble()(windows).reshape(5, 3)[0].sum()

    (seen,) = torch.autograd.grad(oldest, windows)
    assert (seen.reshape(5, 3).abs().sum(dim=1) > 0).all()


def test_only_its_position_separates_a_row_from_an_equal_one():
    network = ensemble()
    twins = torch.ones(1, SHAPE.inputs)

    with torch.no_grad():
        placed = network(twins).reshape(5, 3)
        network.places.zero_()
        unplaced = network(twins).reshape(5, 3)

    assert (placed[0] - placed[1]).abs().max() > 1e-4
    torch.testing.assert_close(unplaced[0], unplaced[1])
