"""An isolation forest: random trees in which anomalous rows are isolated after few splits.

scikit-learn grows the trees; they are converted to complete binary trees of equal depth, stored as
tensors, so that the forest is exported and served like every other family. Complete means that the
children of node i are 2 i + 1 and 2 i + 2: a leaf above the last level sends every row to its left
child, which inherits its value. The score is scikit-learn's -score_samples: 2^(-path / usual path).

A split that leaves a row among fewer rows than an even split would shortens its path: each split is
credited with what it saves, and the features share the score in proportion.
Source: Liu, Ting & Zhou, ICDM 2008; the shares along a path after Saabas, "Interpreting random
forests", 2014, and Carletti et al., "DIFFI", 2019.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.config.model import IsolationForestModel
from pipeline.detector.models.family import Family, FitResult, InputShape, TrainingContext
from pipeline.detector.models.fitted import Check

if TYPE_CHECKING:  # over a second, for training alone
    from sklearn.tree import ExtraTreeRegressor

_EULER = 0.5772156649015329
_SEEDS = 2**31 - 1


class Forest(nn.Module):
    """Trees as tensors. Its reconstruction is the mean row for every input.

    Attributes:
        mean: shape (inputs,).
        cut_input, cut_at: the input that each inner node splits, and the split value:
            (trees, 2^depth - 1).
        saved: by how much going left or right shortens the path, not negative, shape
            (trees, 2 (2^depth - 1)).
        path: expected path length through each leaf, (trees, 2^depth).
        usual: the path of an average row.
    """

    mean: torch.Tensor
    cut_input: torch.Tensor
    cut_at: torch.Tensor
    saved: torch.Tensor
    path: torch.Tensor
    usual: torch.Tensor

    def __init__(self, settings: IsolationForestModel, shape: InputShape) -> None:
        super().__init__()
        self.features, self.depth = shape.features, max(1, math.ceil(math.log2(settings.samples)))
        leaves, trees = 2**self.depth, settings.trees
        self.register_buffer("mean", torch.zeros(shape.inputs))
        self.register_buffer("cut_input", torch.zeros(trees, leaves - 1, dtype=torch.int64))
        self.register_buffer("cut_at", torch.full((trees, leaves - 1), torch.inf))
        self.register_buffer("saved", torch.zeros(trees, 2 * (leaves - 1)))
        self.register_buffer("path", torch.ones(trees, leaves))
        self.register_buffer("usual", torch.ones(()))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The mean row, shape (1, n, inputs); with rows (members, n, inputs) of that shape."""
        made = self.mean.expand_as(rows)
        return made if rows.dim() > 2 else made.unsqueeze(0)  # noqa: PLR2004 - members of their own


class ForestScore(nn.Module):
    """2^(-path / usual path), divided among the features."""

    def __init__(self, forest: Forest) -> None:
        super().__init__()
        # In a tuple, or the forest's weights would be registered, and stored, twice.
        self._forest = (forest,)

    def forward(
        self, scaled: torch.Tensor, output: torch.Tensor, made: torch.Tensor
    ) -> torch.Tensor:
        """Contribution of each feature to the score, shape (n, d)."""
        del output, made
        forest = self._forest[0]
        trees, inner = forest.cut_at.shape
        first = torch.arange(trees) * inner
        at = torch.zeros_like(scaled[:, :1], dtype=torch.int64).expand(-1, trees)
        credit = torch.zeros_like(scaled)
        for _ in range(forest.depth):
            cut = forest.cut_input.flatten()[at + first]
            right = scaled.gather(1, cut) > forest.cut_at.flatten()[at + first]
            step = 2 * at + right.long()  # the child, less one
            credit = credit.scatter_add(1, cut, forest.saved.flatten()[step + 2 * first])
            at = step + 1
        leaf = at - inner
        path = forest.path.flatten()[leaf + torch.arange(trees) * (inner + 1)].mean(dim=1)
        score = torch.exp(-math.log(2) * path / forest.usual)
        by_feature = (
            credit.reshape(-1, len(forest.mean) // forest.features, forest.features).sum(dim=1)
            + _LEAST_CREDIT
        )
        parts: torch.Tensor = by_feature / by_feature.sum(dim=1, keepdim=True)
        return score.unsqueeze(1) * parts


_LEAST_CREDIT = 1e-6  # the score of a row that no split isolates is divided evenly


def build(
    settings: IsolationForestModel, shape: InputShape, generator: torch.Generator
) -> nn.Module:
    """A forest without splits."""
    del generator
    return Forest(settings, shape)


@torch.no_grad()
def learn(
    settings: IsolationForestModel, ensemble: nn.Module, training: TrainingContext
) -> FitResult:
    """Grow the trees on the train windows."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - over a second, for training alone

    if not isinstance(ensemble, Forest):
        raise TypeError(type(ensemble))
    rows = training.train.numpy()
    grown = IsolationForest(
        n_estimators=settings.trees,
        max_samples=min(settings.samples, len(rows)),
        random_state=int(torch.randint(_SEEDS, (), generator=training.generator)),
        n_jobs=1,
    ).fit(rows)
    for number, tree in enumerate(grown.estimators_):
        _plant(ensemble, number, tree)
    ensemble.mean.copy_(training.train.double().mean(dim=0))
    ensemble.usual.fill_(float(_average_path(np.array([grown.max_samples_]))[0]))
    check = Check(
        0,
        *(
            float(training.loss(ensemble(r), r).mean())
            for r in (training.train, training.validation)
        ),
    )
    if training.on_check is not None:
        training.on_check(check)
    return FitResult(0, (check,), {}, _remarks(training.train))


def _remarks(train: torch.Tensor) -> tuple[str, ...]:
    remarks = ["A forest reconstructs nothing: its losses mean nothing."]
    constant = int((train == train[:1]).all(dim=0).sum())
    if constant:
        remarks.append(
            f"{constant} of {train.shape[1]} inputs were constant in training: a forest cannot "
            "split them and will not notice that they change."
        )
    return tuple(remarks)


def _plant(forest: Forest, number: int, tree: ExtraTreeRegressor) -> None:
    """Write one grown tree into the tensors, level by level, leaves copied down to the last one."""
    grown = tree.tree_
    cut_at = _float32_below(grown.threshold)
    onward = _average_path(grown.n_node_samples)
    at, ended = np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp)
    for depth in range(forest.depth):
        leaf = grown.children_left[at] < 0
        place = 2**depth - 1 + np.arange(len(at))
        forest.cut_input[number, place] = torch.from_numpy(np.where(leaf, 0, grown.feature[at]))
        forest.cut_at[number, place] = torch.from_numpy(
            np.where(leaf, np.float32(np.inf), cut_at[at])
        )
        child = np.stack([grown.children_left[at], grown.children_right[at]], axis=1)
        child = np.where(leaf[:, None], at[:, None], child)
        saved = np.where(leaf[:, None], 0.0, onward[at][:, None] - 1 - onward[child])
        places = (2 * place[:, None] + [0, 1]).ravel()
        forest.saved[number, places] = torch.from_numpy(
            np.maximum(saved, 0).astype(np.float32).ravel()
        )
        ended = np.repeat(np.where(leaf, ended, depth + 1), 2)
        at = child.ravel()
    forest.path[number] = torch.from_numpy((ended + onward[at]).astype(np.float32))


def _average_path(rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean path length at which a binary search tree of `rows` rows isolates one."""
    many = np.maximum(rows, 3).astype(np.float64)
    usual = 2 * (np.log(many - 1) + _EULER) - 2 * (many - 1) / many
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, usual))  # noqa: PLR2004 - a pair takes one step


def _float32_below(cuts: NDArray[np.float64]) -> NDArray[np.float32]:
    """Split values that separate float32 rows exactly as the float64 ones do: rounded down."""
    near = cuts.astype(np.float32)
    return np.where(near > cuts, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def scoring(ensemble: nn.Module) -> nn.Module:
    """The forest's own score."""
    if not isinstance(ensemble, Forest):
        raise TypeError(type(ensemble))
    return ForestScore(ensemble)


ISOLATION_FOREST = Family(build=build, learn=learn, scoring=scoring)
