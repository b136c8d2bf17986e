"""Distance to remembered normal rows, in the space of weighted features and residuals.

The point of a row is g = [w z, a r / s]: its scaled values z, with larger weights where neighbours
differ little, and its residuals r, in units of their usual size s. The score is the mean squared
distance to the nearest remembered points, so that the contribution of each feature is its own
squared differences and nothing else.
Source: nearest neighbours after Ramaswamy, Rastogi & Shim, SIGMOD 2000; adding the residual to the
row is our own (ablation in the benchmarks).
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.score import MemoryScore
from pipeline.detector.scores.by_feature import at_least_a_share, mean_of_window
from pipeline.detector.scores.nearness import (
    feature_weights,
    nearest,
    nearest_in_chunks,
    remembered_of,
)
from pipeline.detector.scores.score import Parts, ScoreReport, ScoreTrainingData

_CONSIDERED = 10_000  # rows sampled as candidates, so that the time of a fit is bounded
_CHUNK = 2048
_ROUNDED = 1e-5  # of a usual score: a tenth of the difference allowed to the exported graph
_LEAST = 1e-20  # of the squared point: far below the rounding of any distance that is not 0
_COMPARED = 2000  # held-out rows that show whether float32 finds the nearest points
_PARTS = ("remembered", "stands_for", "row_weight", "residual_weight", "counted", "neighbours")
_EXACTLY = "exactly"


class MemoryDistance(nn.Module):
    """score = sum over features of the squared differences to the nearest remembered points.

    Attributes:
        remembered: points of normal rows, shape (m, inputs), or (m, 2 inputs) with residuals.
        stands_for: number of rows that each of them is the mean of, shape (m,).
        row_weight: w of each input, 0 for context.
        residual_weight: a / s of each input, 0 for context; shape (0,) without residuals.
        counted: for each feature 1, 0 for context.
        neighbours: number of nearest points that count, of shape ().
        exactly: 1 where the nearest points are searched in float64, of shape ().
    """

    remembered: torch.Tensor
    stands_for: torch.Tensor
    row_weight: torch.Tensor
    residual_weight: torch.Tensor
    counted: torch.Tensor
    neighbours: torch.Tensor
    exactly: torch.Tensor

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        for name in _PARTS:
            self.register_buffer(name, parts[name])
        # Bundles of earlier releases lack this buffer: they searched in float32.
        self.register_buffer(_EXACTLY, parts.get(_EXACTLY, torch.tensor(0.0)))
        self.nearest_count = int(parts["neighbours"])
        self.in_float64 = bool(self.exactly)

    def forward(
        self, scaled: torch.Tensor, output: torch.Tensor, made: torch.Tensor
    ) -> torch.Tensor:
        """Contribution of each feature to the score, shape (n, d)."""
        del output
        points = points_of(scaled, made.mean(dim=0), self.row_weight, self.residual_weight)
        at = nearest(points, self.remembered, self.nearest_count, exactly=self.in_float64)
        # Where every row occurs again exactly, a distance is 0 or what the processor rounds it to.
        apart = _squared_differences(points, self.remembered, at) + _LEAST * points.square()
        inputs = len(self.row_weight)
        if len(self.residual_weight):
            apart = apart[:, :inputs] + apart[:, inputs:]
        return mean_of_window(apart, len(self.counted)) * self.counted


def _squared_differences(
    points: torch.Tensor, remembered: torch.Tensor, at: torch.Tensor
) -> torch.Tensor:
    """Mean squared difference of each point (n, width) to the remembered ones `at` (n, k)."""
    return ((points.unsqueeze(1) - remembered[at]) ** 2).mean(dim=1)


def points_of(
    scaled: torch.Tensor,
    reconstruction: torch.Tensor,
    row_weight: torch.Tensor,
    residual_weight: torch.Tensor,
) -> torch.Tensor:
    """Points of scaled windows (n, inputs), from their reconstructions."""
    if not len(residual_weight):
        return scaled * row_weight
    return torch.cat([scaled * row_weight, (scaled - reconstruction) * residual_weight], dim=1)


def fit(settings: MemoryScore, data: ScoreTrainingData) -> nn.Module:
    """The score that remembers `settings.rows` points of at most 10,000 rows of the train block.

    Rows held out of the network's training are remembered too, and give the usual size of a
    residual (at least 5 % of the mean one, in variance).
    """
    generator = data.generator
    rows = torch.cat([data.held, data.train])
    if len(rows) > _CONSIDERED:
        rows = rows[torch.randperm(len(rows), generator=generator)[:_CONSIDERED]]
    reconstruction = torch.cat([data.reconstruct(part) for part in torch.split(rows, _CHUNK)])
    judged = torch.tensor(data.judged)
    counted = judged.repeat(rows.shape[1] // len(judged))
    row_weight = feature_weights(rows, counted, generator)
    residual_weight = _residual_weight(settings, data, counted)
    points = points_of(rows, reconstruction, row_weight, residual_weight)
    remembered = remembered_of(points, settings.rows, generator)
    # A mean of several rows counts as all of them.
    stored = len(remembered.points)
    neighbours = min(stored, max(1, round(settings.neighbours * stored / len(points))))
    exactly = not _float32_finds(points[:_COMPARED], remembered.points, neighbours)
    return MemoryDistance(
        {
            "remembered": remembered.points,
            "stands_for": remembered.rows,
            "row_weight": row_weight,
            "residual_weight": residual_weight,
            "counted": judged.float(),
            "neighbours": torch.tensor(float(neighbours)),
            "exactly": torch.tensor(float(exactly)),
        }
    )


def _float32_finds(points: torch.Tensor, remembered: torch.Tensor, neighbours: int) -> bool:
    """True if a product in float32 finds points that are as near as the nearest ones.

    It does where the distances of normal rows are about as large as their norms, as with many
    independent features. It does not where rows are close together, as with one feature that has a
    long tail.
    """
    near, nearer = (
        _squared_differences(
            points,
            remembered,
            nearest_in_chunks(points, remembered, neighbours, exactly=exactly),
        )
        .sum(dim=1)
        .double()
        for exactly in (False, True)
    )
    usual = torch.maximum(nearer, nearer.median())
    return bool(((near - nearer).abs() <= _ROUNDED * usual).all())


def _residual_weight(
    settings: MemoryScore, data: ScoreTrainingData, counted: torch.Tensor
) -> torch.Tensor:
    """The weight in the settings over the usual size of each residual; shape (0,) when it is 0."""
    if settings.residual == 0:
        return torch.zeros(0)
    apart = data.held - data.reconstruct(data.held)
    size = apart.double().square().mean(dim=0)
    size = at_least_a_share(size, size[counted].mean()).sqrt()
    return torch.where(counted & (size > 0), settings.residual / size, 0.0).float()


def restore(settings: MemoryScore, loss: nn.Module, parts: Parts) -> nn.Module:
    """The fitted score, from its buffers."""
    del settings, loss
    return MemoryDistance(parts)


def report(scoring: nn.Module) -> ScoreReport:
    """Number of rows that the bundle holds as they were measured: it must be stored accordingly."""
    if not isinstance(scoring, MemoryDistance):
        raise TypeError(type(scoring))
    stored = len(scoring.remembered)
    single = int((scoring.stands_for == 1).sum())
    remark = (
        f"The score remembers {stored:,} points of training rows; {single:,} of them are single "
        "rows, scaled and weighted but otherwise as measured: keep the bundle as safe as the data."
    )
    return ScoreReport(
        {"remembered_places": float(stored), "remembered_single_rows": float(single)}, (remark,)
    )
