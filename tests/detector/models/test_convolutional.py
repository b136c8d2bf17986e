import pytest
import torch

from pipeline.config.model import ConvolutionalModel
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import InputShape

FAMILY = MODELS["convolutional"]


@pytest.mark.parametrize("rows", [3, 4, 7, 8, 16, 30])
def test_the_middle_of_a_window_sees_all_of_it(rows):
    shape = InputShape(rows, 2)
    ensemble = FAMILY.build(ConvolutionalModel(members=1), shape, torch.Generator().manual_seed(0))
    windows = torch.zeros(1, shape.inputs, requires_grad=True)

    middle = ensemble(windows).reshape(rows, 2)[rows // 2].sum()

    (seen,) = torch.autograd.grad(middle, windows)
    assert (seen.reshape(rows, 2).abs().sum(dim=1) > 0).all()


def test_longer_windows_need_few_more_weights():
    def weights(rows):
        ensemble = FAMILY.build(ConvolutionalModel(), InputShape(rows, 38), torch.Generator())
        return sum(each.numel() for each in ensemble.parameters())

    assert weights(24) < 2 * weights(6)
