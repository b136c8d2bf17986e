"""Distance to remembered normal rows, in the space of weighted features and residuals.

A row is placed at g = [w z, a r / s]: its scaled values z, weighed by how little they differ
between neighbours, and what the network could not reconstruct of them, r, in its usual size s. The
score is the mean squared distance to the nearest remembered places, so that what each feature adds
is its own squared differences and nothing else.
Source: nearest neighbours after Ramaswamy, Rastogi & Shim, SIGMOD 2000; a residual beside the row
is ours (ablation in the benchmarks).
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.config.score import MemoryScore
from pipeline.detector.scores.folding import mean_of_window
from pipeline.detector.scores.nearness import feature_weights, nearest, nearest_in_chunks
from pipeline.detector.scores.remembering import remembered_of
from pipeline.detector.scores.score import Parts, ScoreReport, ScoreTrainingData
from pipeline.detector.scores.usual import at_least_a_share

_CONSIDERED = 10_000  # rows that are drawn to remember from: fitting stays bounded
_CHUNK = 2048
_ROUNDED = 1e-5  # of a usual score: a tenth of what the exported graph may differ by
_JUDGED = 2000  # held-out rows that tell whether float32 finds the nearest places
_PARTS = ("remembered", "stands_for", "row_weight", "residual_weight", "counted", "neighbours")
_EXACTLY = "exactly"


class MemoryDistance(nn.Module):
    """score = sum over features of the squared differences to the nearest remembered places.

    Attributes:
        remembered: places of normal rows, shape (m, inputs), or (m, 2 inputs) with residuals.
        stands_for: how many rows each of them is the mean of, shape (m,).
        row_weight: w of each input, 0 for context.
        residual_weight: a / s of each input, 0 for context; shape (0,) without residuals.
        counted: for each feature 1, 0 for context.
        neighbours: how many of the nearest places count, of shape ().
        exactly: 1 where the nearest places are looked for in float64, of shape ().
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
        # Bundles of earlier releases do not say so: they looked in float32.
        self.register_buffer(_EXACTLY, parts.get(_EXACTLY, torch.tensor(0.0)))
        self.looked_at = int(parts["neighbours"])
        self.in_float64 = bool(self.exactly)

    def forward(
        self, scaled: torch.Tensor, output: torch.Tensor, made: torch.Tensor
    ) -> torch.Tensor:
        """What each feature adds to the score, shape (n, d)."""
        del output
        place = placed(scaled, made.mean(dim=0), self.row_weight, self.residual_weight)
        at = nearest(place, self.remembered, self.looked_at, exactly=self.in_float64)
        apart = _apart(place, self.remembered, at)
        inputs = len(self.row_weight)
        if len(self.residual_weight):
            apart = apart[:, :inputs] + apart[:, inputs:]
        return mean_of_window(apart, len(self.counted)) * self.counted


def _apart(places: torch.Tensor, remembered: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of each place (n, width) to the remembered ones `at` (n, k)."""
    return ((places.unsqueeze(1) - remembered[at]) ** 2).mean(dim=1)


def placed(
    scaled: torch.Tensor,
    rebuilt: torch.Tensor,
    row_weight: torch.Tensor,
    residual_weight: torch.Tensor,
) -> torch.Tensor:
    """Places of scaled windows (n, inputs), from their reconstructions."""
    if not len(residual_weight):
        return scaled * row_weight
    return torch.cat([scaled * row_weight, (scaled - rebuilt) * residual_weight], dim=1)


def fit(settings: MemoryScore, evidence: ScoreTrainingData) -> nn.Module:
    """The score that remembers `settings.rows` places of at most 10,000 rows of the train block.

    Rows held out of the network's training are remembered too, and tell how large a residual
    usually is (at least 5 % of the mean one, in variance).
    """
    generator = evidence.generator
    rows = torch.cat([evidence.held, evidence.train])
    if len(rows) > _CONSIDERED:
        rows = rows[torch.randperm(len(rows), generator=generator)[:_CONSIDERED]]
    rebuilt = torch.cat([evidence.reconstruct(part) for part in torch.split(rows, _CHUNK)])
    judged = torch.tensor(evidence.judged)
    counted = judged.repeat(rows.shape[1] // len(judged))
    row_weight = feature_weights(rows, counted, generator)
    residual_weight = _residual_weight(settings, evidence, counted)
    places = placed(rows, rebuilt, row_weight, residual_weight)
    remembered = remembered_of(places, settings.rows, generator)
    # A mean of several rows stands for all of them.
    stored = len(remembered.places)
    neighbours = min(stored, max(1, round(settings.neighbours * stored / len(places))))
    exactly = not _float32_finds(places[:_JUDGED], remembered.places, neighbours)
    return MemoryDistance(
        {
            "remembered": remembered.places,
            "stands_for": remembered.rows,
            "row_weight": row_weight,
            "residual_weight": residual_weight,
            "counted": judged.float(),
            "neighbours": torch.tensor(float(neighbours)),
            "exactly": torch.tensor(float(exactly)),
        }
    )


def _float32_finds(places: torch.Tensor, remembered: torch.Tensor, neighbours: int) -> bool:
    """Whether a product in float32 finds places that are as near as the nearest.

    It does where normal rows are about as far apart as they are long, as in many independent
    features. It does not where they are crowded, as in one feature with a long tail.
    """
    near, nearer = (
        _apart(places, remembered, nearest_in_chunks(places, remembered, neighbours, exactly=how))
        .sum(dim=1)
        .double()
        for how in (False, True)
    )
    usual = torch.maximum(nearer, nearer.median())
    return bool(((near - nearer).abs() <= _ROUNDED * usual).all())


def _residual_weight(
    settings: MemoryScore, evidence: ScoreTrainingData, counted: torch.Tensor
) -> torch.Tensor:
    """The settings' weight over the usual size of each residual; shape (0,) when it is 0."""
    if settings.residual == 0:
        return torch.zeros(0)
    apart = evidence.held - evidence.reconstruct(evidence.held)
    size = apart.double().square().mean(dim=0)
    size = at_least_a_share(size, size[counted].mean()).sqrt()
    return torch.where(counted & (size > 0), settings.residual / size, 0.0).float()


def restore(settings: MemoryScore, loss: nn.Module, parts: Parts) -> nn.Module:
    """The fitted score, from its buffers."""
    del settings, loss
    return MemoryDistance(parts)


def report(scoring: nn.Module) -> ScoreReport:
    """How many rows the bundle holds as they were measured, for who decides where it may lie."""
    if not isinstance(scoring, MemoryDistance):
        raise TypeError(type(scoring))
    stored = len(scoring.remembered)
    single = int((scoring.stands_for == 1).sum())
    remark = (
        f"The score remembers {stored:,} places of training rows; {single:,} of them are single "
        "rows, scaled and weighed but otherwise as measured: keep the bundle as safe as the data."
    )
    return ScoreReport(
        {"remembered_places": float(stored), "remembered_single_rows": float(single)}, (remark,)
    )
