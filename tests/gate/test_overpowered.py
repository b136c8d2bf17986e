"""A network that copies its input detects nothing, has the best loss, and is refused unlabelled.

The collapse is that of facts on quality, section 7: the longer such a network trains, the better
it reconstructs, faults included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from pipeline.config import DenoisingModel, Gate
from pipeline.config.family import TrainedModel
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.descent import by_gradient_descent
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import Family, InputShape, TrainingOutput
from pipeline.detector.training.fit import fit
from pipeline.evaluation.diagnostics import Diagnosis, diagnose
from pipeline.gate import GateVerdict, decide
from tests.contracts.test_every_check import TRAINED
from tests.gate.handwriting import FEATURES, pages

PAGES = pages()
SCHEMA = Schema(
    context=(),
    features=FEATURES,
    units=("1",) * len(FEATURES),
    window=1,
    timestamp=None,
    entity=None,
    cadence_s=None,
    source_columns=None,
)


class IdentitySkip(TrainedModel):
    """Deployment of a family that no detector file can ask for."""

    family: Literal["identity_skip"] = "identity_skip"
    members: int = 1
    patience: int = 10_000
    batch_rows: int = 32
    learning_rate: float = 0.03


class SkipNetwork(nn.Module):
    """The row itself plus a linear correction, wider than the row: nothing forbids a copy."""

    def __init__(self, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        width = 2 * inputs
        self.into = nn.Parameter(torch.randn(inputs, width, generator=generator) / 4)
        self.out = nn.Parameter(torch.randn(width, inputs, generator=generator) / 8)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = rows + rows @ self.into @ self.out
        return made if made.dim() == 3 else made[None]


def build(_settings: IdentitySkip, shape: InputShape, generator: torch.Generator) -> nn.Module:
    return SkipNetwork(shape.inputs, generator)


def attempt(_settings, ensemble, shown, _generator, _progress) -> TrainingOutput:
    return TrainingOutput(ensemble(shown))


@dataclass(frozen=True)
class Tried:
    """ROC-AUC of the unseen character, which only this test knows, and the facts for the gate."""

    roc_auc: float
    diagnosis: Diagnosis


def tried(model: TrainedModel) -> Tried:
    graph = Graph(fit(Block("train", PAGES.train), SCHEMA, model).graph)
    held, foreign = (page.to_numpy(np.float32, copy=True) for page in (PAGES.held, PAGES.foreign))
    scores = np.concatenate([graph.score(held).score, graph.score(foreign).score])
    truth = np.repeat([0, 1], [len(held), len(foreign)])
    return Tried(roc_auc_score(truth, scores), diagnose(graph.reconstruct, held, seed=0))


def judged(found: Tried) -> GateVerdict:
    """The gate on everything that it may know, and all else in order."""
    facts = replace(
        TRAINED,
        noise_passthrough=found.diagnosis.noise_passthrough,
        explained_variance=found.diagnosis.explained_variance,
        median_error=found.diagnosis.median_error,
    )
    return decide(facts, None, Gate())


@pytest.fixture(scope="module")
def skip() -> Iterator[dict[str, Tried]]:
    """The identity-skip network, stopped early and trained long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            MODELS, "identity_skip", Family(build=build, learn=by_gradient_descent(attempt))
        )
        yield {
            "early": tried(IdentitySkip(steps=100)),
            "long": tried(IdentitySkip(steps=4000)),
        }


@pytest.fixture(scope="module")
def denoising() -> dict[str, Tried]:
    small = DenoisingModel(members=2, width=32, patience=10_000)
    return {
        "early": tried(small.model_copy(update={"steps": 100})),
        "long": tried(small.model_copy(update={"steps": 1000})),
    }


def test_a_skip_network_falls_to_chance_while_its_loss_improves(skip: dict[str, Tried]) -> None:
    early, long = skip["early"], skip["long"]

    assert early.roc_auc > 0.9
    assert long.roc_auc < 0.6
    assert long.diagnosis.explained_variance > early.diagnosis.explained_variance > 0.9


def test_denoising_on_the_same_rows_stays_high(denoising: dict[str, Tried]) -> None:
    assert min(found.roc_auc for found in denoising.values()) > 0.98


def test_by_the_loss_alone_the_blind_network_would_win(
    skip: dict[str, Tried], denoising: dict[str, Tried]
) -> None:
    blind, seeing = skip["long"].diagnosis, denoising["long"].diagnosis

    assert blind.explained_variance > seeing.explained_variance
    assert blind.median_error < seeing.median_error / 10


def test_the_gate_refuses_the_blind_network_without_a_label(skip: dict[str, Tried]) -> None:
    verdict = judged(skip["long"])

    assert [r.name for r in verdict.results if r.verdict == "fail"] == ["not_overpowered"]


@pytest.mark.parametrize("stopped", ["early", "long"])
def test_the_gate_lets_the_denoising_network_pass(
    denoising: dict[str, Tried], stopped: str
) -> None:
    assert judged(denoising[stopped]).passed
