"""Rows in which values are absent: how a score makes nothing of what was not measured.

An absent value is NaN in raw and scaled rows alike, and stays so up to the network, whose family
knows what to do with it. Kinds of score know nothing of it: they are given rows in which it holds
what the network expects there, so that it has no error. What is left is the score of the values
that are present; it is scaled up to what all of them would give, or a row would seem the more
normal the more of it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from pipeline.detector.schema import Schema

_ROWS_AT_ONCE = 4096

Reconstruct = Callable[[torch.Tensor], torch.Tensor]
"""Scaled windows (n, inputs), NaN where absent, to what the network expects; same shape."""


class MaskedOutput(NamedTuple):
    """Output of shape (members, n, inputs) and rows (n, inputs) that agree where one is absent."""

    output: torch.Tensor
    rows: torch.Tensor


class MissingValues(nn.Module):
    """Scores of rows with absent values; `judged` is for each of d features, windows of L rows."""

    judged: torch.Tensor

    def __init__(self, judged: Sequence[bool], *, window: int) -> None:
        super().__init__()
        self.window = window
        self.register_buffer("judged", torch.tensor(judged, dtype=torch.float32))

    def forward(self, error: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """What each feature adds to the score, (n, d), when only what is present speaks.

        `error` is what it adds with 0 for absent values; `rows`, (n, L d), tells which those are.
        A feature that is present in k of the L rows of a window speaks for all L. What the
        features that are present add is scaled by the share of the judged that they are.
        """
        present = (~torch.isnan(rows)).to(error.dtype)
        seen = present.reshape(-1, self.window, len(self.judged)).sum(dim=1)
        whole = error * (self.window / seen.clamp(min=1))
        known = ((seen > 0).to(error.dtype) * self.judged).sum(dim=1, keepdim=True)
        return whole * (self.judged.sum() / known.clamp(min=1))


def missing_values_of(schema: Schema) -> MissingValues | None:
    """How absent values are left out of the scores of a detector; None where there are none."""
    return MissingValues(schema.judged, window=schema.window) if schema.takes_missing else None


def mask_missing(loss: nn.Module, scaled: torch.Tensor, output: torch.Tensor) -> MaskedOutput:
    """Fill absent cells of `scaled` with the members' common guess, and let no member disagree."""
    absent = torch.isnan(scaled)
    common = output.mean(dim=0, keepdim=True)
    guess: torch.Tensor = loss.rebuilt(common)  # type: ignore[operator]  # of every loss
    return MaskedOutput(torch.where(absent, common, output), torch.where(absent, guess[0], scaled))


def impute_mean(reconstruct: Reconstruct, scaled: torch.Tensor) -> torch.Tensor:
    """`scaled` with what the network expects in its absent cells."""
    return torch.where(torch.isnan(scaled), _reconstructed(reconstruct, scaled), scaled)


def impute_stochastic(
    reconstruct: Reconstruct, scaled: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """`scaled` as it may have been: absent cells are a guess plus the residual of another row.

    The guess alone would have no residual, and a score that learns from these rows what residuals
    are usual would learn it too small. (Stochastic regression imputation: Little & Rubin,
    Statistical Analysis with Missing Data, 2002.) Values stay within those that are present.
    """
    made = _reconstructed(reconstruct, scaled)
    filled = scaled.clone()
    for column in range(scaled.shape[1]):
        absent = torch.isnan(scaled[:, column])
        holes = int(absent.sum())
        if not holes or holes == len(absent):
            filled[absent, column] = made[absent, column]
            continue
        there = scaled[~absent, column]
        residual = there - made[~absent, column]
        drawn = residual[torch.randint(len(residual), (holes,), generator=generator)]
        filled[absent, column] = (made[absent, column] + drawn).clamp(there.min(), there.max())
    return filled


def _reconstructed(reconstruct: Reconstruct, scaled: torch.Tensor) -> torch.Tensor:
    """What `reconstruct` makes of all rows, some at a time."""
    firsts = range(0, len(scaled), _ROWS_AT_ONCE)
    return torch.cat([reconstruct(scaled[first : first + _ROWS_AT_ONCE]) for first in firsts])
