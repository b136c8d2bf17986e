"""What `tune` may change of each family: the settings that matter and the range worth a look.

Ranges come from the studies behind the defaults; what only costs time (more steps, more members)
reaches little beyond them. A new family is a line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.config.model import Model
from pipeline.config.score import Score

Value = float | int | str


class Suggests(Protocol):
    """Of an Optuna trial, what a space needs."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number between both, included."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number between both, included."""

    def suggest_categorical(self, name: str, choices: tuple[str, ...]) -> str:
        """One of them."""


@dataclass(frozen=True)
class Number:
    """A range, both ends included; `log`: of orders of magnitude."""

    low: float
    high: float
    log: bool = False

    def draw(self, trial: Suggests, name: str) -> Value:
        """One number of the range."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Count:
    """A range of whole numbers, both ends included; by orders of magnitude."""

    low: int
    high: int

    def draw(self, trial: Suggests, name: str) -> Value:
        """One number of the range."""
        return trial.suggest_int(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    names: tuple[str, ...]

    def draw(self, trial: Suggests, name: str) -> Value:
        """One of them."""
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
    """Settings to try instead of the present ones, as `model.width: 80`."""
    drawn: dict[str, Value] = {}
    for name, values in FAMILIES[model.family].items():
        drawn[f"model.{name}"] = values.draw(trial, f"model.{name}")
    if model.family in _OWN_SCORE:
        return drawn
    for name, values in SCORES[score.kind].items():
        allowed = values
        if isinstance(values, Choice) and model.loss != "mse":
            allowed = Choice(tuple(each for each in values.names if each != _SQUARES_ONLY))
        drawn[f"score.{name}"] = allowed.draw(trial, f"score.{name}")
    return drawn
