"""Variational autoencoders: a code that is a distribution, kept near a standard normal one.

inputs - width - (mean, log variance) of the code - width - inputs. Training samples the code;
checks and scoring use its mean, so nothing served is random. The weight of the divergence rises
from 0, or the decoder would learn to ignore the code before it carries information. If it does so
all the same, every row gets the same reconstruction: this collapse is measured and reported.
Source: Kingma & Welling, ICLR 2014; beta: Higgins et al., ICLR 2017; annealing: Bowman et al.,
CoNLL 2016; active units: Burda et al., ICLR 2016.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.model import VariationalModel
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.family import Family, InputShape, TrainingOutput
from pipeline.detector.models.layers import SMALL_GAIN, BatchedLayers

_ACTIVE_FROM = 0.01  # variance of a unit's mean over rows, Burda et al.
_FEWEST_ACTIVE = 0.1  # share of the units of a member
_LOG_VARIANCE = 10.0  # beyond, exp() would upset the weights


class VariationalEnsemble(nn.Module):
    """Encoder to a distribution, decoder from its mean or a sample."""

    def __init__(self, settings: VariationalModel, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        members, width, code = settings.members, settings.width, settings.code
        self.encoder = BatchedLayers(members, [inputs, width, 2 * code], generator)
        self.decoder = BatchedLayers(
            members, [code, width, inputs], generator, last_gain=SMALL_GAIN
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Reconstruction by each member from the rows' mean codes, shape (members, n, inputs)."""
        reconstruction: torch.Tensor = self.decoder(self.code(rows)[0])
        return reconstruction

    def code(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log variance of the code, each of shape (members, n, code)."""
        mean, log_variance = self.encoder(rows).chunk(2, dim=-1)
        return mean, log_variance.clamp(-_LOG_VARIANCE, _LOG_VARIANCE)


def build(settings: VariationalModel, shape: InputShape, generator: torch.Generator) -> nn.Module:
    """An untrained ensemble."""
    return VariationalEnsemble(settings, shape.inputs, generator)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of each unit from a standard normal one, nats."""
    return 0.5 * (mean**2 + torch.exp(log_variance) - 1 - log_variance)


def beta_at(settings: VariationalModel, progress: float) -> float:
    """Weight of the divergence: rises from 0 to beta over the first share of the steps."""
    if progress >= settings.annealing:
        return settings.beta
    return settings.beta * progress / settings.annealing


def training_step(
    settings: VariationalModel,
    ensemble: VariationalEnsemble,
    shown: torch.Tensor,
    generator: torch.Generator | None,
    progress: float,
) -> TrainingOutput:
    """The reconstruction from sampled codes, and the divergence of those codes."""
    mean, log_variance = ensemble.code(shown)
    code = mean
    if generator is not None:
        noise = torch.randn(mean.shape, generator=generator)
        code = mean + torch.exp(0.5 * log_variance) * noise
    # Half the squared error summed over inputs is -log p; the loss is a mean of whole ones.
    per_cell = 2 / shown.shape[-1]
    nats = divergence(mean, log_variance).sum(dim=-1).mean(dim=1).sum()
    return TrainingOutput(ensemble.decoder(code), beta_at(settings, progress) * per_cell * nats)


@torch.no_grad()
def report(
    settings: VariationalModel, ensemble: VariationalEnsemble, rows: torch.Tensor
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Active units and divergence a unit; a remark when the code has collapsed."""
    mean, log_variance = ensemble.code(rows)
    active = (mean.var(dim=1, correction=0) > _ACTIVE_FROM).sum(dim=-1)
    units = mean.shape[-1]
    measured = {
        "active_units": float(active.double().mean()),
        "units": float(units),
        "nats_per_unit": float(divergence(mean, log_variance).mean()),
    }
    if int(active.min()) >= max(1.0, _FEWEST_ACTIVE * units):
        return measured, ()
    remark = (
        f"The code has collapsed: {int(active.min())} of {units} units of a network are "
        f"active (at least {_FEWEST_ACTIVE:.0%} are expected), so all rows get nearly the same "
        f"reconstruction. Lower model.beta (now {settings.beta:g}) or raise model.annealing."
    )
    return measured, (remark,)


VARIATIONAL = Family(build=build, learn=by_gradient_descent(training_step, report=report))
