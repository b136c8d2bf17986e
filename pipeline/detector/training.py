"""From a train block to a fitted network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import nn

from pipeline.config.model import Model
from pipeline.config.score import ReconstructionScore, Score
from pipeline.data.split import Block, rows_for
from pipeline.data.timeline import subset
from pipeline.detector.fitted import Facts, FittedNetwork
from pipeline.detector.frames import feature_values, timeline_of
from pipeline.detector.holdout import hold_out
from pipeline.detector.losses import loss_of
from pipeline.detector.models import MODELS, Family, Shape
from pipeline.detector.models.family import Lesson, OnCheck
from pipeline.detector.network import Scaling, ScoringNetwork
from pipeline.detector.onnx_export import export
from pipeline.detector.ranges import Ranges, ranges_of
from pipeline.detector.scaling import Scaler, fit_scaler
from pipeline.detector.schema import Schema
from pipeline.detector.scored import Rows
from pipeline.detector.scores import SCORES, Evidence
from pipeline.detector.windows import windows
from pipeline.errors import DataError

_VALIDATION_EVERY = 10
_FEWEST_WINDOWS = 10
_PROBE_ROWS = 256
_NETWORK, _SCORE = "network.", "score."
_BY_RECONSTRUCTION = ReconstructionScore()

log = structlog.get_logger()


def fit(
    block: Block,
    schema: Schema,
    model: Model,
    score: Score = _BY_RECONSTRUCTION,
    *,
    threads: int = 1,
    on_check: OnCheck | None = None,
) -> FittedNetwork:
    """The network for the normal rows of a train block, and its score.

    About one window in ten, in whole stretches of time, is set aside inside the block: it decides
    when to stop and what error is usual. The same rows, settings and thread count on the same
    kind of machine give the same bytes. Global random state is neither read nor changed.

    Raises:
        SplitReuseError: the block is not for training.
        DataError: a feature is absent or not finite, or there are too few windows.
    """
    rows = _inputs(block, schema, model.seed)
    generator = torch.Generator().manual_seed(model.seed)
    family = MODELS[model.family]
    scaling = Scaling(rows.scaler, window=schema.window)
    loss = loss_of(model.loss, rows.scaler, rows=schema.window)
    with _threads(threads):
        ensemble = family.build(model, shape_of(schema), generator)
        lesson = Lesson(
            train=scaling(torch.from_numpy(rows.train)),
            validation=scaling(torch.from_numpy(rows.validation)),
            age_s=rows.age_s,
            loss=loss,
            generator=generator,
            on_check=on_check,
        )
        learnt = family.learn(model, ensemble, lesson)
        ensemble.eval()
        scoring = _scoring(family, score, ensemble, lesson, schema)
        network = ScoringNetwork(scaling, ensemble, loss, scoring)
        graph = export(network, rows.validation[:_PROBE_ROWS])
    facts = Facts(
        schema=schema,
        settings=model.model_dump(mode="json"),
        score=score.model_dump(mode="json"),
        loss=model.loss,
        scaler=rows.scaler,
        rows_train=len(rows.train),
        rows_validation=len(rows.validation),
        best_step=learnt.best_step,
        history=learnt.history,
        ranges=rows.ranges,
        measured=learnt.measured,
        remarks=learnt.remarks,
    )
    log.info("detector_fitted", rows=len(rows.train), best_step=learnt.best_step)
    return FittedNetwork(facts, _weights(ensemble, scoring), graph)


def restore(fitted: FittedNetwork) -> ScoringNetwork:
    """The torch network of a fit, from its weights: to train on from, or to compare with."""
    facts = fitted.facts
    family = MODELS[facts.family]
    model: Model = TypeAdapter(Model).validate_python(facts.settings)
    score: Score = TypeAdapter(Score).validate_python(facts.score)
    parts = {name: torch.from_numpy(np.array(value)) for name, value in fitted.weights.items()}
    ensemble = family.build(model, shape_of(facts.schema), torch.Generator())
    ensemble.load_state_dict(_below(_NETWORK, parts))
    loss = loss_of(model.loss, facts.scaler, rows=facts.schema.window)
    if family.scoring is None:
        scoring = SCORES[score.kind].restore(score, loss, _below(_SCORE, parts))
    else:
        scoring = family.scoring(ensemble)
    scaling = Scaling(facts.scaler, window=facts.schema.window)
    return ScoringNetwork(scaling, ensemble, loss, scoring).eval()


def shape_of(schema: Schema) -> Shape:
    """What a family sees of one window."""
    return Shape(schema.window, len(schema.features))


@dataclass(frozen=True)
class _Inputs:
    """Windows of a train block, and what is known of all its rows."""

    train: Rows
    validation: Rows
    age_s: torch.Tensor | None
    scaler: Scaler
    ranges: Ranges


def _inputs(block: Block, schema: Schema, seed: int) -> _Inputs:
    """Windows to train on, windows to validate on, scaler and ranges of all their rows."""
    frame = rows_for(block, "train")
    values, line = feature_values(frame, schema), timeline_of(frame, schema)
    held = hold_out(len(values), line, every=_VALIDATION_EVERY, seed=seed)
    lines = [None if line is None else subset(line, mask) for mask in (~held, held)]
    train = windows(values[~held], schema.window, lines[0])
    validation = windows(values[held], schema.window, lines[1])
    if len(train.rows) < _FEWEST_WINDOWS or not len(validation.rows):
        msg = (
            f"The train block gives {len(train.rows):,} windows of {schema.window} row(s) to train "
            f"on and {len(validation.rows):,} to validate on, from {len(values):,} rows; at least "
            f"{_FEWEST_WINDOWS} and 1 are needed. Provide more normal rows (a longer "
            "split.training_days), or shorten window.length."
        )
        raise DataError(msg)
    return _Inputs(
        train=train.rows,
        validation=validation.rows,
        age_s=None if lines[0] is None else _ages(lines[0].time_ns[train.end]),
        scaler=fit_scaler(values, schema.judged),
        ranges=ranges_of(values),
    )


def _ages(time_ns: NDArray[np.int64]) -> torch.Tensor:
    """How much older than the newest each row is, in seconds."""
    return torch.from_numpy((time_ns.max() - time_ns) / 1e9)


@torch.no_grad()
def _scoring(
    family: Family, settings: Score, ensemble: nn.Module, lesson: Lesson, schema: Schema
) -> nn.Module:
    """The family's own score, or the configured one."""
    if family.scoring is not None:
        return family.scoring(ensemble)

    def reconstruct(scaled: torch.Tensor) -> torch.Tensor:
        rebuilt: torch.Tensor = lesson.loss.rebuilt(ensemble(scaled))  # type: ignore[operator]
        return rebuilt.mean(dim=0)

    evidence = Evidence(
        train=lesson.train,
        held=lesson.validation,
        output=ensemble(lesson.validation),
        reconstruct=reconstruct,
        loss=lesson.loss,
        judged=schema.judged,
        generator=lesson.generator,
    )
    return SCORES[settings.kind].fit(settings, evidence)


def _weights(ensemble: nn.Module, scoring: nn.Module) -> dict[str, NDArray[np.float32]]:
    """All fitted numbers, by name."""
    parts = {f"{_NETWORK}{name}": value for name, value in ensemble.state_dict().items()}
    parts |= {f"{_SCORE}{name}": value for name, value in scoring.state_dict().items()}
    return {name: value.numpy() for name, value in parts.items()}


def _below(prefix: str, parts: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): value for n, value in parts.items() if n.startswith(prefix)}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
