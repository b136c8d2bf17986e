"""Losses, which training minimises and the score adds up: always the same loss for both.

A network's output is not always the row itself: for shares it is a logit, for counts a logarithm.
So a loss defines the distance of an output from a row, and the row that an output means. It is 0
where the output means exactly the row, and positive elsewhere; it is in variances of the feature,
so that features of all units and sizes have equal weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from pipeline.config.family import Loss as LossName
from pipeline.detector.inputs.scaling import Ranges, Scaler
from pipeline.detector.inputs.scored import Rows
from pipeline.errors import DataError

_HUBER_FROM = 1.0  # standard deviations
_EDGE = 1e-4  # shares nearer to 0 or 1 count as this near: logits stay finite
_LEAST_COUNT = 1e-6  # of the usual count: its logarithm stays finite
_SERIES_BELOW = 0.1  # exact formulas lose digits where output and row are nearly equal
_LARGEST_OUTPUT = 30.0  # exp() of it fits float32 with room


class SquaredError(nn.Module):
    """(output - row)^2, in variances of the feature."""

    def forward(self, output: torch.Tensor, scaled: torch.Tensor) -> torch.Tensor:
        """Loss of each cell; `output` may have a leading axis of members."""
        return (output - scaled) ** 2

    def reconstruction(self, output: torch.Tensor) -> torch.Tensor:
        """The scaled rows that an output means."""
        return output


class HuberError(nn.Module):
    """(output - row)^2 up to one standard deviation, then 2 |output - row| - 1.

    Extreme training rows pull less, and extreme values count for less in the score.
    Source: Huber, Annals of Mathematical Statistics 1964.
    """

    def forward(self, output: torch.Tensor, scaled: torch.Tensor) -> torch.Tensor:
        """Loss of each cell."""
        missed = (output - scaled).abs()
        near = missed.clamp(max=_HUBER_FROM)
        return near * (2 * missed - near)

    def reconstruction(self, output: torch.Tensor) -> torch.Tensor:
        """The scaled rows that an output means."""
        return output


class ShareDeviance(nn.Module):
    """Binary cross-entropy with logits, less its minimum, for features with fixed ends.

    The target is the row mapped to 0..1 between the ends of its training range. The deviance
    KL(target || sigmoid(output)) of a feature with mean target m and variance v is multiplied by
    2 m (1 - m) / v: about (output - row)^2 in variances where the two are close. Beyond the ends
    no output can follow, so the squared distance to the nearer end is added.
    Source: McCullagh & Nelder, Generalized Linear Models, 1989, section 4.4 (deviance).
    """

    low: torch.Tensor
    span: torch.Tensor
    unit: torch.Tensor

    def __init__(self, scaler: Scaler, ranges: Ranges, *, rows: int) -> None:
        super().__init__()
        mean, scale = np.array(scaler.mean), np.array(scaler.scale)
        low, high = ((np.array(end) - mean) / scale for end in (ranges.lowest, ranges.highest))
        span = np.maximum(high - low, 1.0)  # a constant has no range
        usual = np.clip(-low / span, _EDGE, 1 - _EDGE)
        _keep(self, rows, low=low, span=span, unit=2 * usual * (1 - usual) * span**2)

    def forward(self, output: torch.Tensor, scaled: torch.Tensor) -> torch.Tensor:
        """Loss of each cell."""
        share = (scaled - self.low) / self.span
        inside = share.clamp(0, 1)
        beyond = ((share - inside) * self.span) ** 2
        return self.unit * _share_deviance(inside.clamp(_EDGE, 1 - _EDGE), output) + beyond

    def reconstruction(self, output: torch.Tensor) -> torch.Tensor:
        """The scaled rows that an output means."""
        return torch.sigmoid(output) * self.span + self.low


class CountDeviance(nn.Module):
    """Poisson deviance of a logarithmic rate, for counts.

    exp(output) is the rate in usual counts: an output of 0 means the mean row. The deviance is
    divided by the feature's own variance over mean, 1 of a true Poisson count (a quasi-Poisson
    dispersion), so that 5 faults an hour and 50,000 requests an hour weigh alike. A count below 0
    cannot be: its squared distance from 0 is added.
    Source: McCullagh & Nelder, Generalized Linear Models, 1989, sections 6.2 and 9.2.
    """

    zero: torch.Tensor
    usual: torch.Tensor

    def __init__(self, scaler: Scaler, *, rows: int) -> None:
        super().__init__()
        mean, scale = np.array(scaler.mean), np.array(scaler.scale)
        # A feature that was always 0 has no usual count; its scale takes the place of it.
        _keep(self, rows, zero=-mean / scale, usual=np.where(mean > 0, mean, scale) / scale)

    def forward(self, output: torch.Tensor, scaled: torch.Tensor) -> torch.Tensor:
        """Loss of each cell."""
        count = (scaled - self.zero) / self.usual
        beyond = (count.clamp(max=0) * self.usual) ** 2
        return self.usual**2 * _count_deviance(count.clamp(min=_LEAST_COUNT), output) + beyond

    def reconstruction(self, output: torch.Tensor) -> torch.Tensor:
        """The scaled rows that an output means."""
        return torch.exp(output.clamp(max=_LARGEST_OUTPUT)) * self.usual + self.zero


def loss_of(name: LossName, scaler: Scaler, ranges: Ranges, *, rows: int) -> nn.Module:
    """The loss called `name` for windows of `rows` rows of features with these scales and ranges.

    Its parameters follow from the facts of a fit, so it has no weights of its own.
    """
    match name:
        case "mse":
            return SquaredError()
        case "huber":
            return HuberError()
        case "bce":
            return ShareDeviance(scaler, ranges, rows=rows)
        case "poisson":
            return CountDeviance(scaler, rows=rows)


def refuse_unfit(name: LossName, rows: Rows, features: Sequence[str]) -> None:
    """Refuse training rows of shape (n, d) that the loss cannot measure; NaN is allowed.

    Raises:
        DataError: counts below 0.
    """
    if name != "poisson":
        return
    below = (rows < 0).sum(axis=0)
    if not below.any():
        return
    worst = int(below.argmax())
    least = float(np.nanmin(rows[:, worst]))
    msg = (
        f"Feature {features[worst]!r} is below 0 in {below[worst]:,} of {len(rows):,} training "
        f"rows (down to {least:g}); model.loss: poisson is for counts, at least 0. Set model.loss "
        "to mse or huber, or leave the column out of the detector."
    )
    raise DataError(msg)


def _share_deviance(share: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """KL(share || sigmoid(output)) for shares inside (0, 1), exact near 0 too."""
    logit = torch.log(share) - torch.log(1 - share)
    ahead = output - logit
    softplus = nn.functional.softplus
    plain = softplus(output) - softplus(logit) - share * ahead
    spread = share * (1 - share)
    series = 1 / 2 + ahead * ((1 - 2 * share) / 6 + ahead * (1 - 6 * spread) / 24)
    return torch.where(ahead.abs() < _SERIES_BELOW, spread * ahead**2 * series, plain)


def _count_deviance(count: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """2 (c log(c / rate) - c + rate) with rate = exp(output), exact near 0 too."""
    ahead = output.clamp(max=_LARGEST_OUTPUT) - torch.log(count)
    plain = torch.exp(ahead) - 1 - ahead
    series = ahead**2 * (1 / 2 + ahead * (1 / 6 + ahead / 24))
    return 2 * count * torch.where(ahead.abs() < _SERIES_BELOW, series, plain)


def _keep(module: nn.Module, rows: int, **values: np.ndarray) -> None:
    """Register a buffer for each, tiled over the rows of a window; not saved, as facts imply it."""
    for name, of_feature in values.items():
        tiled = torch.tensor(np.tile(of_feature, rows), dtype=torch.float32)
        module.register_buffer(name, tiled, persistent=False)
