"""Rows with missing values, which add nothing to a score.

A missing value is NaN in raw and scaled rows alike, and stays so up to the network, whose family
handles it. The kinds of score do not: they get rows in which it is replaced by the network's
expectation, so that it has no error. The score of the values that are present is then scaled up to
that of a whole row; otherwise a row would look more normal the more of it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.inputs.schema import Schema

_ROWS_AT_ONCE = 4096

Reconstruct = Callable[[torch.Tensor], torch.Tensor]
"""Scaled windows (n, inputs), NaN where missing, to their reconstructions; same shape."""


class MaskedOutput(NamedTuple):
    """Output (members, n, inputs) and rows (n, inputs) that agree where a value is missing."""

    output: torch.Tensor
    rows: torch.Tensor


class MissingValues(nn.Module):
    """Errors of rows with missing values; `judged` flags d features, windows have L rows."""

    judged: torch.Tensor

    def __init__(self, judged: Sequence[bool], *, window: int) -> None:
        super().__init__()
        self.window = window
        self.register_buffer("judged", torch.tensor(judged, dtype=torch.float32))

    def forward(self, error: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Contribution of each feature to the score, (n, d), from the values that are present.

        `error` is the contribution with 0 for missing values; `rows`, (n, L d), is NaN at those.
        A feature that is present in k of the L rows of a window counts for all L. The contributions
        of the features that are present are divided by their share of the judged features.
        """
        present = (~torch.isnan(rows)).to(error.dtype)
        seen = present.reshape(-1, self.window, len(self.judged)).sum(dim=1)
        whole = error * (self.window / seen.clamp(min=1))
        known = ((seen > 0).to(error.dtype) * self.judged).sum(dim=1, keepdim=True)
        return whole * (self.judged.sum() / known.clamp(min=1))


def missing_values_of(schema: Schema) -> MissingValues | None:
    """The handling of missing values for a detector; None if it takes none."""
    return MissingValues(schema.judged, window=schema.window) if schema.takes_missing else None


def mask_missing(loss: nn.Module, scaled: torch.Tensor, output: torch.Tensor) -> MaskedOutput:
    """Set missing cells of `scaled`, and of each member's output, to the mean of the members."""
    absent = torch.isnan(scaled)
    common = output.mean(dim=0, keepdim=True)
    guess: torch.Tensor = loss.reconstruction(common)  # type: ignore[operator]  # torch types attributes as tensors or modules
    return MaskedOutput(torch.where(absent, common, output), torch.where(absent, guess[0], scaled))


def impute_mean(reconstruct: Reconstruct, scaled: torch.Tensor) -> torch.Tensor:
    """`scaled` with its missing cells replaced by their reconstruction."""
    return torch.where(torch.isnan(scaled), _reconstructed(reconstruct, scaled), scaled)


def impute_stochastic(
    reconstruct: Reconstruct, scaled: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """`scaled` with its missing cells replaced by reconstruction plus the residual of another row.

    The reconstruction alone has no residual, and a score that is fitted on these rows would find
    the usual residual too small. (Stochastic regression imputation: Little & Rubin, Statistical
    Analysis with Missing Data, 2002.) Values stay within the range of those that are present.
    """
    made = _reconstructed(reconstruct, scaled)
    filled = scaled.clone()
    for column in range(scaled.shape[1]):
        absent = torch.isnan(scaled[:, column])
        missing = int(absent.sum())
        if not missing or missing == len(absent):
            filled[absent, column] = made[absent, column]
            continue
        present = scaled[~absent, column]
        residual = present - made[~absent, column]
        sampled = residual[torch.randint(len(residual), (missing,), generator=generator)]
        imputed = made[absent, column] + sampled
        filled[absent, column] = imputed.clamp(present.min(), present.max())
    return filled


def _reconstructed(reconstruct: Reconstruct, scaled: torch.Tensor) -> torch.Tensor:
    """`reconstruct` applied to all rows, some at a time."""
    firsts = range(0, len(scaled), _ROWS_AT_ONCE)
    return torch.cat([reconstruct(scaled[first : first + _ROWS_AT_ONCE]) for first in firsts])
