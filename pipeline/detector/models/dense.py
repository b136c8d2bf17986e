"""Bottleneck autoencoders, whose code is too small to copy a row.

inputs - hidden - code - hidden - inputs. The code is kept smaller than the inputs: a network with
as many code units as inputs may copy any row, faulty ones too. The fewer units, the closer the
reconstruction of an anomaly is to normal rows; with too few, normal rows are distorted as well. The
default is half of the inputs, or the narrowest hidden layer where that is less.
Source: Hinton & Salakhutdinov, Science 2006.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from pipeline.config.model import DenseModel
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import Family, FitResult, InputShape, TrainingContext
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers
from pipeline.errors import ConfigError

_COPIES_FROM = 0.8


def build(settings: DenseModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble.

    Raises:
        ConfigError: the code has as many units as there are inputs, or more.
    """
    around = list(settings.hidden)
    sizes = [shape.inputs, *around, _code(settings, shape.inputs), *around[::-1], shape.inputs]
    return BatchedLayers(settings.members, sizes, generator, last_gain=SMALL_GAIN)


def _code(settings: DenseModel, inputs: int) -> int:
    """Units in the bottleneck."""
    usual = max(1, min([inputs // 2, *settings.hidden]))
    code = usual if settings.code is None else settings.code
    if code >= inputs:
        msg = (
            f"model.code is {code}; the bottleneck of a dense network must be smaller than its "
            f"{inputs} input(s) (features x window.length), or it may copy every row. Lower "
            "model.code, or choose model.family: denoising, which needs no bottleneck."
        )
        raise ConfigError(msg)
    return code


_descend = by_gradient_descent()


def learn(settings: DenseModel, ensemble: nn.Module, training: TrainingContext) -> FitResult:
    """Train by gradient descent, and check whether the code is so wide that the network copies."""
    result = _descend(settings, ensemble, training)
    copied = copied_share(ensemble, training)
    remarks: tuple[str, ...] = ()
    if copied > _COPIES_FROM:
        remark = (
            f"The network copies: it reproduces {copied:.0%} of rows whose features do not belong "
            f"together (at most {_COPIES_FROM:.0%} is expected). Lower model.code."
        )
        remarks = (remark,)
    return replace(result, measured={"copied": copied}, remarks=remarks)


@torch.no_grad()
def copied_share(ensemble: nn.Module, training: TrainingContext) -> float:
    """Share of impossible rows that the ensemble reproduces; at most 1.

    The rows are validation rows with each feature taken from another row: 1 - loss / (loss of the
    mean row). A network that knows which features belong together does not reproduce such rows;
    one that copies does.
    """
    rows = training.validation
    count, inputs = rows.shape
    torn = torch.stack(
        [rows[:, j].roll(j * count // inputs) for j in range(inputs)],
        dim=1,
    )
    made: torch.Tensor = training.loss.reconstruction(ensemble(torn))  # type: ignore[operator]  # torch types attributes as tensors or modules
    missed = ((made - torn) ** 2).mean()
    spread = ((torn - torn.mean(dim=0)) ** 2).mean()
    return float(1 - missed / spread) if spread > 0 else 0.0


DENSE = Family(build=build, learn=learn)
