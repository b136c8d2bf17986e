"""The contenders: every family for single rows, the defaults first, and PyOD's detectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch

from pipeline.config.model import DenoisingModel, Model
from pipeline.config.score import MemoryScore, ReconstructionScore, Score
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.inputs.schema import UNKNOWN_UNIT, Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.fitted import FittedNetwork
from pipeline.detector.scores import SCORES
from pipeline.detector.training.fit import fit

FEATURES = 50
_CAUSES = 8
_MADE_OF_WINDOWS = {"convolutional", "recurrent", "transformer"}


@dataclass(frozen=True)
class SpeedContender:
    """A detector to be timed.

    Attributes:
        name: as the table shows it.
        fit: (rows, threads) -> the fitted detector.
        scorer: (the fitted detector, threads) -> rows to scores.
    """

    name: str
    fit: Callable[[Rows, int], Any]
    scorer: Callable[[Any, int], Callable[[Rows], object]]


def made_rows(rows: int, *, seed: int) -> Rows:
    """Rows of 50 features driven by eight hidden causes, so that there is something to learn."""
    mixing = np.random.default_rng(0).normal(size=(_CAUSES, FEATURES)).astype(np.float32)
    random = np.random.default_rng(seed)
    causes = random.standard_normal((rows, _CAUSES), dtype=np.float32)
    noise = random.standard_normal((rows, FEATURES), dtype=np.float32)
    made: Rows = np.tanh(causes @ mixing) + np.float32(0.1) * noise
    return made


def schema(*, timed: bool) -> Schema:
    """Fifty features without units, each row ten minutes after the one before if `timed`."""
    return Schema(
        context=(),
        features=names(),
        units=(UNKNOWN_UNIT,) * FEATURES,
        window=1,
        timestamp="timestamp" if timed else None,
        entity=None,
        cadence_s=600.0 if timed else None,
        source_columns=None,
    )


def names() -> tuple[str, ...]:
    """The columns of `made_rows`."""
    return tuple(f"m{n:02}" for n in range(FEATURES))


def frame(rows: Rows) -> pd.DataFrame:
    """The rows with a time."""
    time = pd.date_range("2024-01-01", periods=len(rows), freq="10min", tz="UTC")
    return pd.DataFrame(rows, columns=list(names())).assign(timestamp=time)


def ours() -> list[SpeedContender]:
    """The defaults for rows with and without time, then each other family by its own defaults."""
    found = [_ours("denoising, reconstruction", DenoisingModel(), ReconstructionScore())]
    if MemoryScore().kind in SCORES:
        found.append(_ours("denoising, memory", DenoisingModel(), MemoryScore(), timed=False))
    others = [name for name in MODELS if name not in {"denoising", *_MADE_OF_WINDOWS}]
    return found + [_ours(name, _settings()[name](), ReconstructionScore()) for name in others]


def theirs() -> list[SpeedContender]:
    """PyOD's detectors with their own defaults."""
    return [
        SpeedContender("PyOD AutoEncoder", _pyod(_auto_encoder), _decided),
        SpeedContender("PyOD IForest", _pyod(_forest), _decided),
        SpeedContender("PyOD KNN", _pyod(_knn), _decided),
    ]


def _settings() -> dict[str, Callable[[], Model]]:
    """The settings class of each family."""
    union = get_args(Model)[0]
    return {c.model_fields["family"].default: c for c in get_args(union) or (union,)}


def _ours(name: str, model: Model, score: Score, *, timed: bool = True) -> SpeedContender:
    def fitted(rows: Rows, threads: int) -> FittedNetwork:
        block = Block("train", frame(rows))
        return fit(block, schema(timed=timed), model, score, threads=threads)

    def scorer(network: FittedNetwork, threads: int) -> Callable[[Rows], object]:
        return Graph(network.graph, threads=threads).score

    return SpeedContender(name, fitted, scorer)


def _pyod(make: Callable[[int], Any]) -> Callable[[Rows, int], Any]:
    def fitted(rows: Rows, threads: int) -> Any:
        torch.set_num_threads(threads)
        detector = make(threads)
        detector.fit((rows - rows.mean(axis=0)) / rows.std(axis=0))
        return detector

    return fitted


def _decided(detector: Any, threads: int) -> Callable[[Rows], object]:
    def score(rows: Rows) -> object:
        torch.set_num_threads(threads)
        parts: tuple[Any, Any] = (detector, getattr(detector, "detector_", None))
        for part in parts:
            if hasattr(part, "n_jobs"):
                part.n_jobs = threads
        return detector.decision_function(rows)

    return score


def _auto_encoder(_threads: int) -> Any:
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=0, verbose=0)


def _forest(threads: int) -> Any:
    from pyod.models.iforest import IForest

    return IForest(random_state=0, n_jobs=threads)


def _knn(threads: int) -> Any:
    from pyod.models.knn import KNN

    return KNN(n_jobs=threads)
