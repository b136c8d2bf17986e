"""A fitted network as plain data, passed from task to task and stored in a bundle.

On disk it is three files: `model.onnx` to score with, `weights.safetensors` to fine-tune from, and
`fitted.json` with the facts. Reading it needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.data.held_back import HeldBack
from pipeline.detector.inputs.scaling import Ranges, Scaler
from pipeline.detector.inputs.schema import Schema
from pipeline.errors import BundleError
from pipeline.records import from_json, to_json

GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.safetensors"
FACTS_FILE = "fitted.json"


@dataclass(frozen=True)
class Check:
    """Losses after `step` steps, in variances of a scaled feature.

    The validation loss includes the family's penalty (a divergence, a contraction); the step with
    the least validation loss is kept.
    """

    step: int
    train: float
    validation: float


@dataclass(frozen=True)
class Facts:
    """The facts of a fit.

    Attributes:
        schema: its input.
        settings: the detector file's `model` section, defaults filled in.
        score: its `score` section, likewise.
        loss: name of the loss that the training minimised and the score is made of.
        scaler: fitted on all training rows.
        rows_train: number of windows that moved the weights.
        rows_validation: windows inside the train block that only decided when to stop.
        best_step: the step whose weights were kept.
        history: the losses at each check.
        ranges: of all training rows, including those of the fits that it was fine-tuned from.
        measured: diagnostics of the family, by name.
        remarks: notes on the fit for the reviewer, one sentence each.
        reconstructs: whether the family rebuilds rows, or scores by itself.
        loss_ranges: ends of each feature to the loss, where they are not `ranges`: a fine-tuned
            network keeps those of its first fit.
        held: rows of the train block that were left out, in sustained episodes far above what its
            other rows score; None where none were looked for: rows without time, or a fit of an
            earlier release.
    """

    schema: Schema
    settings: dict[str, Any]
    score: dict[str, Any]
    loss: str
    scaler: Scaler
    rows_train: int
    rows_validation: int
    best_step: int
    history: tuple[Check, ...]
    ranges: Ranges
    measured: dict[str, float]
    remarks: tuple[str, ...]
    reconstructs: bool = True
    loss_ranges: Ranges | None = None
    held: HeldBack | None = None

    @property
    def ends(self) -> Ranges:
        """The values between which the loss measures each feature."""
        return self.ranges if self.loss_ranges is None else self.loss_ranges

    @property
    def by_reconstruction(self) -> bool:
        """True where the score uses the reconstruction of a row; a memory may leave that out."""
        return self.reconstructs and bool(self.score.get("residual", 1))

    @property
    def family(self) -> str:
        """Key of MODELS."""
        return str(self.settings["family"])

    @property
    def seed(self) -> int:
        """Seed of all randomness of the fit."""
        return int(self.settings["seed"])


@dataclass(frozen=True)
class FittedNetwork:
    """Facts, weights by name, and the serialised ONNX graph."""

    facts: Facts
    weights: Mapping[str, NDArray[np.float32]]
    graph: bytes


def save_fitted(fitted: FittedNetwork, folder: Path) -> None:
    """Write the three files into `folder`, replacing older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    write_network(fitted, folder)
    text = json.dumps(to_json(fitted.facts), indent=1, sort_keys=True)
    (folder / FACTS_FILE).write_text(text + "\n", encoding="utf-8")


def load_fitted(folder: Path) -> FittedNetwork:
    """Read what `save_fitted` wrote.

    Raises:
        BundleError: a file is missing.
    """
    facts = from_json(Facts, json.loads(read_part(folder, FACTS_FILE)))
    return read_network(facts, folder)


def write_network(fitted: FittedNetwork, folder: Path) -> None:
    """Write graph and weights into `folder`."""
    (folder / GRAPH_FILE).write_bytes(fitted.graph)
    (folder / WEIGHTS_FILE).write_bytes(save(dict(fitted.weights)))


def read_network(facts: Facts, folder: Path) -> FittedNetwork:
    """The network that `facts` describe, from the files of `write_network`.

    Raises:
        BundleError: a file is missing or damaged.
    """
    try:
        weights = load(read_part(folder, WEIGHTS_FILE))
    except (SafetensorError, ValueError, KeyError) as error:
        msg = (
            f"{folder / WEIGHTS_FILE}: holds no weights ({str(error)[:200]}); fetch the bundle "
            "again, or fit again"
        )
        raise BundleError(msg) from error
    return FittedNetwork(facts, weights, read_part(folder, GRAPH_FILE))


def read_part(folder: Path, name: str) -> bytes:
    """The content of one file.

    Raises:
        BundleError: it is missing or cannot be read.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        msg = f"{folder / name}: cannot be read ({error.strerror}); give the folder of a whole fit"
        raise BundleError(msg) from error
