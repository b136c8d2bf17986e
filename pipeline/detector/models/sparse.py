"""Sparse autoencoders: of many code units, a few are active for each row.

inputs - width - code - width - inputs; the code units are sigmoids. A penalty keeps the mean
activity of each unit over normal rows at a target: the Kullback-Leibler divergence between two
Bernoulli distributions, with the target and with the activity of the unit. The code may be wider
than the input: sparsity takes the place of a bottleneck.
Source: Lee, Ekanadham & Ng, NIPS 2007; Ng, CS294A lecture notes "Sparse autoencoder", 2011.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from pipeline.config.model import SparseModel
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import Family, InputShape, TrainingOutput
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers

_MOST_ACTIVE = 0.10
_EDGE = 1e-4  # keeps logarithms finite


class SparseEnsemble(nn.Module):
    """Encoder, sigmoid code, decoder."""

    def __init__(self, settings: SparseModel, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        inward = [inputs, settings.width, settings.code]
        self.encoder = BatchedLayers(settings.members, inward, generator)
        # Start at the target activity: from one half, the way down takes most of the steps.
        nn.init.constant_(
            self.encoder.biases[-1], math.log(settings.activity / (1 - settings.activity))
        )
        self.decoder = BatchedLayers(
            settings.members, inward[::-1], generator, last_gain=SMALL_GAIN
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Reconstruction by each member, shape (members, n, inputs)."""
        reconstruction: torch.Tensor = self.decoder(self.code(rows))
        return reconstruction

    def code(self, rows: torch.Tensor) -> torch.Tensor:
        """Activity of each unit between 0 and 1, shape (members, n, code)."""
        return torch.sigmoid(self.encoder(rows))


def build(settings: SparseModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return SparseEnsemble(settings, shape.inputs, generator)


def divergence(code: torch.Tensor, activity: float) -> torch.Tensor:
    """Mean divergence of the units of each member from the target activity; (members,)."""
    mean = code.mean(dim=1).clamp(_EDGE, 1 - _EDGE)
    active = activity * torch.log(activity / mean)
    inactive = (1 - activity) * torch.log((1 - activity) / (1 - mean))
    return (active + inactive).mean(dim=1)


def training_step(
    settings: SparseModel,
    ensemble: SparseEnsemble,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """The reconstruction, and the penalty for activity off target."""
    del generator, progress
    code = ensemble.code(shown)
    penalty = settings.sparsity * divergence(code, settings.activity).sum()
    return TrainingOutput(ensemble.decoder(code), penalty)


@torch.no_grad()
def report(
    settings: SparseModel, ensemble: SparseEnsemble, rows: torch.Tensor
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Mean activity of all units on rows that were not trained on; a remark above 0.10."""
    activity = float(ensemble.code(rows).mean())
    measured = {"activity": activity}
    if activity <= _MOST_ACTIVE:
        return measured, ()
    remark = (
        f"The code is not sparse: its units are active {activity:.2f} of the time (target "
        f"{settings.activity:g}, at most {_MOST_ACTIVE:.2f}). Raise model.sparsity."
    )
    return measured, (remark,)


SPARSE = Family(build=build, learn=by_gradient_descent(training_step, report=report))
