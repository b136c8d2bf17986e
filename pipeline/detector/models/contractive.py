"""Contractive autoencoders: a code that small changes of a row hardly move.

inputs - code - inputs with a sigmoid or tanh code; the decoder uses the encoder's weights
transposed, or the encoder could shrink its weights, the decoder grow its own, and nothing would be
contracted. The penalty is the squared Frobenius norm of the encoder's Jacobian,
sum_j s'(a_j)^2 sum_i w_ij^2, exact and free for one layer. Directions that normal rows do not need
are contracted away, and rows off the surface of normal rows are not reconstructed.
Source: Rifai et al., ICML 2011.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from pipeline.config.model import ContractiveModel
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import Family, InputShape, TrainingOutput


class ContractiveEnsemble(nn.Module):
    """One hidden layer, tied weights."""

    def __init__(self, settings: ContractiveModel, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.is_sigmoid = settings.activation == "sigmoid"
        shape = (settings.members, inputs, settings.code)
        spread = math.sqrt(2 / (inputs + settings.code))  # Glorot & Bengio, AISTATS 2010
        self.weight = nn.Parameter(torch.randn(shape, generator=generator) * spread)
        self.bias = nn.Parameter(torch.zeros(settings.members, 1, settings.code))
        self.bias_out = nn.Parameter(torch.zeros(settings.members, 1, inputs))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Reconstruction by each member, shape (members, n, inputs)."""
        return self.decoded(self.code(rows))

    def code(self, rows: torch.Tensor) -> torch.Tensor:
        """The code of each member, shape (members, n, code)."""
        before = torch.matmul(rows, self.weight) + self.bias
        return torch.sigmoid(before) if self.is_sigmoid else torch.tanh(before)

    def decoded(self, code: torch.Tensor) -> torch.Tensor:
        """Rows from codes."""
        return torch.matmul(code, self.weight.transpose(1, 2)) + self.bias_out

    def squared_jacobian(self, code: torch.Tensor) -> torch.Tensor:
        """Squared Frobenius norm of d code / d row at each row, shape (members, n)."""
        slope = code * (1 - code) if self.is_sigmoid else 1 - code**2
        reach = (self.weight**2).sum(dim=1)
        return torch.einsum("enh,eh->en", slope**2, reach)


def build(settings: ContractiveModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return ContractiveEnsemble(settings, shape.inputs, generator)


def training_step(
    settings: ContractiveModel,
    ensemble: ContractiveEnsemble,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """The reconstruction, and the penalty for a code that moves with the rows."""
    del generator, progress
    code = ensemble.code(shown)
    inputs = shown.shape[-1]
    # The loss is a mean over inputs where Rifai's is a sum, so the norm is divided likewise.
    moved = ensemble.squared_jacobian(code).mean(dim=1).sum() / inputs
    return TrainingOutput(ensemble.decoded(code), settings.contraction * moved)


@torch.no_grad()
def report(
    settings: ContractiveModel, ensemble: ContractiveEnsemble, rows: torch.Tensor
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Sensitivity of the code to a row: root mean square of the Jacobian's Frobenius norm."""
    del settings
    norm = ensemble.squared_jacobian(ensemble.code(rows)).mean().sqrt()
    return {"jacobian_norm": float(norm)}, ()


CONTRACTIVE = Family(build=build, learn=by_gradient_descent(training_step, report=report))
