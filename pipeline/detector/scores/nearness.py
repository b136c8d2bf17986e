"""The rows that a score remembers, the search for the nearest of them, and each feature's weight.

Many points become few: each remembered point is the mean of the rows nearest to it.
Source: Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 1982.
In the study that chose them (ADBench, 2,000 points) means lost 0.2 points of average precision
against all rows, a random sample of rows 0.9; a greedy cover by k centres (Sener & Savarese, ICLR
2018) lost more of the ROC area.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

_CHUNK = 1024  # rows compared at a time: 40 MB against 10,000 remembered ones
_WEIGHT_ROUNDS = 2
_QUERIES = 3000
_POWER = 0.5  # 1 and more did better on the odd half of ADBench and worse on the even one
_FLOOR = 0.05  # of the mean variance: a feature that never differs must not decide alone

_MEAN_ROUNDS = 4  # later rounds move the means little


def nearest(
    rows: torch.Tensor, remembered: torch.Tensor, count: int, *, exactly: bool = False
) -> torch.Tensor:
    """Indices of the `count` nearest remembered rows, shape (n, count), nearest first.

    Needs one matrix product: |g - m|^2 = |g|^2 - 2 (g m - |m|^2 / 2), and |g| is the same for all
    m. The distances themselves are computed from the rows found, without cancellation.

    The product still suffers from cancellation: in float32 it cannot order two points whose squared
    distances differ by less than about 1e-7 of |m|^2. In float64 (`exactly`) it can, at half the
    speed.
    """
    if exactly:
        rows, remembered = rows.double(), remembered.double()
    alike = torch.addmm(-0.5 * (remembered**2).sum(dim=1), rows, remembered.T)
    return torch.topk(alike, count, dim=1).indices


def nearest_in_chunks(
    rows: torch.Tensor, remembered: torch.Tensor, count: int, *, exactly: bool = False
) -> torch.Tensor:
    """Like `nearest`, in bounded memory, for fitting."""
    return torch.cat(
        [nearest(part, remembered, count, exactly=exactly) for part in torch.split(rows, _CHUNK)]
    )


def feature_weights(
    rows: torch.Tensor, counted: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Weight of each input in a distance, shape (inputs,); 0 where not `counted`, else rms 1.

    The weight of an input is one over the root of its usual difference between a normal row and the
    nearest other one with these weights, in two rounds from equal ones: an input that varies even
    among neighbours carries little information.
    """
    if len(rows) <= 1:
        return counted.to(rows.dtype)
    sampled = torch.randperm(len(rows), generator=generator)[:_QUERIES]
    weight = counted.to(rows.dtype)
    for _ in range(_WEIGHT_ROUNDS):
        points = rows * weight
        found = nearest_in_chunks(points[sampled], points, 2)
        # The nearest of a row is the row itself, or a duplicate.
        other = torch.where(found[:, 0] == sampled, found[:, 1], found[:, 0])
        variance = ((rows[sampled] - rows[other]) ** 2).double().mean(dim=0)
        usual = variance[counted].mean()
        if usual == 0:
            break
        weight = torch.where(counted, (variance + _FLOOR * usual) ** (-_POWER / 2), 0.0)
        weight = (weight / (weight[counted] ** 2).mean().sqrt()).to(rows.dtype)
    return weight


class Remembered(NamedTuple):
    """Points, shape (m, width), and the number of rows that each is the mean of, shape (m,)."""

    points: torch.Tensor
    rows: torch.Tensor


def remembered_of(points: torch.Tensor, most: int, generator: torch.Generator) -> Remembered:
    """The points (n, width) themselves, or at most `most` means of them.

    Means start from randomly sampled rows. A mean that no row is nearest to (rows that occur twice)
    is dropped.
    """
    if len(points) <= most:
        return Remembered(points, torch.ones(len(points)))
    means = points[torch.randperm(len(points), generator=generator)[:most]]
    owned = torch.ones(len(means))
    for _ in range(_MEAN_ROUNDS):
        owner = nearest_in_chunks(points, means, 1)[:, 0]
        owned = torch.bincount(owner, minlength=len(means)).to(points.dtype)
        total = torch.zeros_like(means).index_add_(0, owner, points)
        means, owned = (total / owned.unsqueeze(1))[owned > 0], owned[owned > 0]
    return Remembered(means, owned)
