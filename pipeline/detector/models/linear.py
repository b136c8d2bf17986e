"""Soft principal components in closed form: the fastest baseline.

A direction of variance l keeps the share 1 - sqrt(rho / (l + rho)) of itself, so that directions
far above the ridge rho pass and those far below remain in the residual. The residual in feature
space is (S / rho + I)^(-1/2) z, with S the covariance; its squared length is

    rho z' (S + rho I)^(-1) z,

the ridge-Mahalanobis distance: residual and latent distance in one, without a rank to choose, and
divided among the features. The square root is the symmetric one, which blames the features that
moved rather than those they are correlated with.
Source: Kessy, Lewin & Strimmer, "Optimal whitening and decorrelation", The American Statistician
2018 (the symmetric root); Tipping & Bishop, "Probabilistic PCA", JRSS B 1999 (the ridge).
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model import LinearModel
from pipeline.detector.models.family import Family, FitResult, InputShape, TrainingContext
from pipeline.detector.models.fitted import Check


class SoftProjection(nn.Module):
    """x -> mean + (x - mean) P, as one matrix and one offset.

    Attributes:
        projection: P, symmetric, shape (inputs, inputs).
        offset: mean (I - P), shape (inputs,).
    """

    projection: torch.Tensor
    offset: torch.Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("projection", torch.zeros(inputs, inputs))
        self.register_buffer("offset", torch.zeros(inputs))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Reconstructions, shape (1, n, inputs)."""
        made = torch.matmul(rows, self.projection) + self.offset
        return made if rows.dim() > 2 else made.unsqueeze(0)  # noqa: PLR2004 - members of their own


def build(settings: LinearModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """A projection onto nothing: every row becomes the mean row."""
    del settings, generator
    return SoftProjection(shape.inputs)


@torch.no_grad()
def learn(settings: LinearModel, ensemble: nn.Module, training: TrainingContext) -> FitResult:
    """Fill in the projection from the covariance of the train windows."""
    if not isinstance(ensemble, SoftProjection):
        raise TypeError(type(ensemble))
    exact = training.train.double()
    mean = exact.mean(dim=0)
    variance, axes = torch.linalg.eigh((exact - mean).T @ (exact - mean) / len(exact))
    kept = 1 - torch.sqrt(settings.ridge / (variance.clamp(min=0) + settings.ridge))
    projection = (axes * kept) @ axes.T
    ensemble.projection.copy_(projection)
    ensemble.offset.copy_(mean - mean @ projection)
    check = Check(
        0,
        *(
            float(training.loss(ensemble(r), r).mean())
            for r in (training.train, training.validation)
        ),
    )
    if training.on_check is not None:
        training.on_check(check)
    return FitResult(0, (check,), {"linear_dimensions": float(kept.sum())}, ())


LINEAR = Family(build=build, learn=learn)
