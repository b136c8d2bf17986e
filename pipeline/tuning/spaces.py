"""Search spaces of `tune`: the settings that matter for each family, and their ranges.

Ranges come from the studies behind the defaults; settings that mainly cost time (more steps, more
members) go little beyond those. A new family is an entry here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.config.model import Model
from pipeline.config.score import Score

Value = float | int | str


class Suggests(Protocol):
    """The methods of an Optuna trial that a search space needs."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number between both, ends included."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number between both, ends included."""

    def suggest_categorical(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the choices."""


@dataclass(frozen=True)
class Number:
    """A range, both ends included; `log`: on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Suggests, name: str) -> Value:
        """One number of the range."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Count:
    """A range of whole numbers, both ends included, on a logarithmic scale."""

    low: int
    high: int

    def suggest(self, trial: Suggests, name: str) -> Value:
        """One number of the range."""
        return trial.suggest_int(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    names: tuple[str, ...]

    def suggest(self, trial: Suggests, name: str) -> Value:
        """One of the names."""
        return trial.suggest_categorical(name, self.names)


Space = dict[str, Number | Count | Choice]

_STEPS: Space = {"steps": Count(200, 1500), "learning_rate": Number(5e-4, 8e-3, log=True)}
_SWAP = Number(0.0, 0.5)

FAMILIES: dict[str, Space] = {
    "contractive": {**_STEPS, "code": Count(8, 128), "contraction": Number(1e-3, 1.0, log=True)},
    "convolutional": {**_STEPS, "width": Count(8, 64), "swap": _SWAP},
    "dense": {**_STEPS, "code": Count(1, 32)},
    "denoising": {**_STEPS, "width": Count(24, 192), "members": Count(2, 12), "swap": _SWAP},
    "isolation_forest": {"trees": Count(50, 400), "samples": Count(64, 2048)},
    "linear": {"ridge": Number(1e-3, 3.0, log=True)},
    "masked": {**_STEPS, "width": Count(24, 192), "members": Count(2, 12)},
    "nearest_neighbours": {"rows": Count(500, 20_000), "neighbours": Count(1, 10)},
    "recurrent": {**_STEPS, "width": Count(8, 64), "swap": _SWAP},
    "sparse": {**_STEPS, "code": Count(16, 256), "sparsity": Number(1e-2, 10.0, log=True)},
    "transformer": {**_STEPS, "swap": _SWAP},
    "variational": {**_STEPS, "width": Count(24, 192), "beta": Number(1e-3, 1.0, log=True)},
}

SCORES: dict[str, Space] = {
    "reconstruction": {"error": Choice(("plain", "standardised", "mahalanobis"))},
    "memory": {"neighbours": Count(1, 10), "residual": Number(0.0, 1.0)},
}

_OWN_SCORE = ("isolation_forest",)
_SQUARES_ONLY = "mahalanobis"


def suggest(trial: Suggests, model: Model, score: Score) -> dict[str, Value]:
    """Deployment to try instead of the present ones, such as `model.width: 80`."""
    suggested: dict[str, Value] = {}
    for name, values in FAMILIES[model.family].items():
        suggested[f"model.{name}"] = values.suggest(trial, f"model.{name}")
    if model.family in _OWN_SCORE:
        return suggested
    for name, values in SCORES[score.kind].items():
        allowed = values
        if isinstance(values, Choice) and model.loss != "mse":
            allowed = Choice(tuple(each for each in values.names if each != _SQUARES_ONLY))
        suggested[f"score.{name}"] = allowed.suggest(trial, f"score.{name}")
    return suggested
