"""The contenders: every family by its own defaults, memory, and PyOD's detectors with theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from pipeline.config import Model, Score
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.training.fit import fit

Scores = Callable[[Rows], np.ndarray[Any, np.dtype[np.float64]]]
"""Windows to scores; higher is more anomalous."""

Fit = Callable[[pd.DataFrame, Schema, int], Scores]
"""(normal rows to train on, their schema, seed) -> a scorer."""


@dataclass(frozen=True)
class Contender:
    """A detector under test.

    Attributes:
        name: as the tables show it.
        fit: trains it.
        window: rows that it sees at once; more than one only where rows have a time.
    """

    name: str
    fit: Fit
    window: int = 1


@dataclass(frozen=True)
class Outcome:
    """A contender after it was fitted and has scored the test rows, in processor seconds."""

    scores: Scores
    found: np.ndarray[Any, np.dtype[np.float64]]
    fit_s: float
    score_s: float


def put_to_the_test(
    contender: Contender, train: pd.DataFrame, schema: Schema, seed: int, test: Rows
) -> Outcome:
    """Fit on `train`, score `test`, and time both."""
    began = time.process_time()
    scores = contender.fit(train, schema, seed)
    fitted = time.process_time()
    found = scores(test)
    return Outcome(scores, found, fitted - began, time.process_time() - fitted)


@dataclass(frozen=True)
class _Recipe:
    model: Mapping[str, Any]
    score: Mapping[str, Any] = field(default_factory=lambda: {"kind": "reconstruction"})
    window: int = 1


_UNTIMED = {"family": "denoising", "swap": 0.0}
_LARGE = {"family": "denoising", "swap": 0.1, "width": 128, "members": 4, "steps": 1000}
_MEMORY = {"kind": "memory"}
_WHITENED = {"kind": "reconstruction", "error": "mahalanobis"}
_LONG = 10

OURS: dict[str, _Recipe] = {
    "denoising": _Recipe({"family": "denoising"}),
    "denoising, no swap": _Recipe(_UNTIMED),
    "denoising, large": _Recipe(_LARGE),
    "denoising + memory": _Recipe(_UNTIMED, _MEMORY),
    "denoising + memory, 4000": _Recipe(_UNTIMED, {"kind": "memory", "rows": 4000}),
    "linear": _Recipe({"family": "linear"}, _WHITENED),
    "dense": _Recipe({"family": "dense"}),
    "sparse": _Recipe({"family": "sparse"}),
    "contractive": _Recipe({"family": "contractive"}),
    "variational": _Recipe({"family": "variational"}),
    "masked": _Recipe({"family": "masked"}),
    "nearest_neighbours": _Recipe({"family": "nearest_neighbours"}, {"error": "plain"}),
    "isolation_forest": _Recipe({"family": "isolation_forest"}),
}

WINDOWED: dict[str, _Recipe] = {
    name: _Recipe({"family": name}, window=_LONG)
    for name in ("convolutional", "recurrent", "transformer")
}


def ours(recipes: Mapping[str, _Recipe]) -> list[Contender]:
    """Plimsoll's own, through the code that serves them: the scores of the ONNX graph."""
    return [Contender(name, _fitted(recipe), recipe.window) for name, recipe in recipes.items()]


def theirs() -> list[Contender]:
    """PyOD's detectors and a plain nearest neighbour, on rows standardised by the training."""
    return [
        Contender("1-NN", _standardised(_nearest)),
        Contender("PyOD AutoEncoder", _standardised(_pyod("auto_encoder", "AutoEncoder"))),
        Contender("PyOD KNN", _standardised(_pyod("knn", "KNN"))),
        Contender("PyOD IForest", _standardised(_pyod("iforest", "IForest"))),
        Contender("PyOD LOF", _standardised(_pyod("lof", "LOF"))),
        Contender("PyOD ECOD", _standardised(_pyod("ecod", "ECOD"))),
    ]


def _fitted(recipe: _Recipe) -> Fit:
    def fitted(frame: pd.DataFrame, schema: Schema, seed: int) -> Scores:
        model: Model = TypeAdapter(Model).validate_python({**recipe.model, "seed": seed})
        score: Score = TypeAdapter(Score).validate_python(
            {"kind": "reconstruction", **recipe.score}
        )
        graph = Graph(fit(Block("train", frame), schema, model, score).graph, threads=1)
        return lambda rows: graph.score(rows).score.astype(np.float64)

    return fitted


def _standardised(make: Callable[[Rows, int], Scores]) -> Fit:
    def fitted(frame: pd.DataFrame, schema: Schema, seed: int) -> Scores:
        train = frame[list(schema.features)].to_numpy(np.float32)
        mean, spread = train.mean(axis=0), train.std(axis=0)
        spread = np.where(spread < 1e-8, 1, spread)  # noqa: PLR2004 - the protocol's
        scores = make((train - mean) / spread, seed)
        return lambda rows: scores((rows - mean) / spread)

    return fitted


def _nearest(train: Rows, _seed: int) -> Scores:
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=1).fit(train)
    return lambda rows: np.asarray(found.kneighbors(rows)[0][:, 0], dtype=np.float64)


def _pyod(module: str, name: str) -> Callable[[Rows, int], Scores]:
    def made(train: Rows, seed: int) -> Scores:
        import importlib
        import inspect

        kind = getattr(importlib.import_module(f"pyod.models.{module}"), name)
        given = {"random_state": seed, "verbose": 0, "n_jobs": 1}
        known = inspect.signature(kind).parameters
        detector = kind(**{k: v for k, v in given.items() if k in known})
        detector.fit(train)
        return lambda rows: np.asarray(detector.decision_function(rows), dtype=np.float64)

    return made
