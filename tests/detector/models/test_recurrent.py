import torch

from pipeline.config.model import RecurrentModel
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape

FAMILY = MODELS["recurrent"]
SHAPE = InputShape(6, 5)


def ensemble(width):
    return FAMILY.build(
        RecurrentModel(members=1, width=width), SHAPE, torch.Generator().manual_seed(0)
    )


def test_a_window_passes_through_no_more_numbers_than_the_width():
    window = torch.randn(SHAPE.inputs, generator=torch.Generator().manual_seed(1))

    change = torch.autograd.functional.jacobian(
        lambda seen: ensemble(3)(seen[None])[0, 0], window
    ).double()

    assert torch.linalg.matrix_rank(change, rtol=1e-5) == 3


def test_every_row_of_a_window_is_read():
    windows = torch.zeros(1, SHAPE.inputs, requires_grad=True)

    (read,) = torch.autograd.grad(ensemble(16)(windows).sum(), windows)

    assert (read.reshape(6, 5).abs().sum(dim=1) > 0).all()
