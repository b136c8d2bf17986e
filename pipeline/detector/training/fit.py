"""Fitting a network on a train block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import nn

from pipeline.config.model import Model
from pipeline.config.score import ReconstructionScore, Score
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.bundle.graph_content import metadata_of, refuse_other_metadata
from pipeline.detector.inputs.missing_values import (
    impute_mean,
    impute_stochastic,
    missing_values_of,
)
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.families import MODELS
from pipeline.detector.models.family import Family, InputShape, OnCheck, TrainingContext
from pipeline.detector.models.fitted import Facts, FittedNetwork
from pipeline.detector.scores import SCORES, ScoreReport, ScoreTrainingData
from pipeline.detector.scores.losses import loss_of
from pipeline.detector.training.network import Scaling, ScoringNetwork, WindowChannels, fit_channels
from pipeline.detector.training.onnx_export import export
from pipeline.detector.training.training_windows import TrainingWindows, training_windows_of
from pipeline.detector.training.warm_start import WarmStart, replayed
from pipeline.errors import BundleError, ConfigError

_PROBE_ROWS = 256
_NETWORK, _SCORE, _CHANNELS = "network.", "score.", "channels."
_OF_VALUES_ALONE = ("bce", "poisson")
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
    start: WarmStart | None = None,
) -> FittedNetwork:
    """Fit a network, and its score, on the normal rows of a train block.

    About one window in ten, in whole stretches of time, is held out inside the block: it decides
    when to stop and which error is usual. The same rows, settings and thread count on the same
    kind of machine give the same bytes. Global random state is neither read nor changed.

    With `start` the fit continues from the weights of a fitted network, with its scaler, and its
    older rows are mixed with those of the block; see `pipeline.detector.training.warm_start`.

    Raises:
        SplitReuseError: the block is not for training.
        DataError: a feature is missing or not finite, the loss cannot measure it, or there are too
            few windows.
        ConfigError: the family needs longer windows.
        BundleError: the weights to start from belong to another network.
    """
    family = MODELS[model.family]
    _refuse_short_windows(model.family, schema.window, family.minimum_rows)
    _refuse_pseudo_rows(schema, model.loss)
    rows = training_windows_of(block, schema, model)
    if start is not None:
        rows = replayed(rows, training_windows_of(start.older, schema, model), start, schema, model)
    generator = torch.Generator().manual_seed(model.seed)
    shape = shape_of(schema)
    # Weights that were trained to output shares of one range mean nothing in another.
    kept = None if start is None else start.network.facts.ends
    loss = loss_of(model.loss, rows.scaler, kept or rows.ranges, rows=shape.blocks)
    with _threads(threads):
        scaling = _scaling(rows, shape, schema, start)
        ensemble = family.build(model, shape, generator)
        if start is not None:
            _load_weights(ensemble, start.network)
        training = TrainingContext(
            train=scaling(torch.from_numpy(rows.train)),
            validation=scaling(torch.from_numpy(rows.validation)),
            age_s=None if rows.age_s is None else torch.from_numpy(rows.age_s),
            loss=loss,
            generator=generator,
            on_check=on_check,
        )
        result = family.learn(model, ensemble, training)
        ensemble.eval()
        scoring = _scoring(family, score, ensemble, training, schema)
        reported = ScoreReport({}, ())
        if family.scoring is None:
            reported = SCORES[score.kind].report(scoring)
        network = ScoringNetwork(scaling, ensemble, loss, scoring, missing_values_of(schema))
        metadata = metadata_of(model.family, model.loss)
        graph = export(network, rows.validation[:_PROBE_ROWS], metadata)
    facts = Facts(
        schema=schema,
        settings=model.model_dump(mode="json"),
        score=score.model_dump(mode="json"),
        loss=model.loss,
        scaler=rows.scaler,
        rows_train=len(rows.train),
        rows_validation=len(rows.validation),
        best_step=result.best_step,
        history=result.history,
        ranges=rows.ranges,
        measured=result.measured | reported.measured,
        remarks=result.remarks + reported.remarks,
        reconstructs=family.scoring is None,
        loss_ranges=kept,
    )
    log.info("detector_fitted", rows=len(rows.train), best_step=result.best_step)
    return FittedNetwork(facts, _weights(scaling, ensemble, scoring), graph)


def restore(fitted: FittedNetwork) -> ScoringNetwork:
    """The torch network of a fit, from its weights: for fine-tuning, or for comparison.

    Raises:
        BundleError: the graph has another family or loss than the facts.
    """
    facts = fitted.facts
    refuse_other_metadata(facts, Graph(fitted.graph, threads=1).metadata)
    family = MODELS[facts.family]
    model: Model = TypeAdapter(Model).validate_python(facts.settings)
    score: Score = TypeAdapter(Score).validate_python(facts.score)
    parts = _tensors(fitted)
    shape = shape_of(facts.schema)
    ensemble = family.build(model, shape, torch.Generator())
    ensemble.load_state_dict(_below(_NETWORK, parts))
    loss = loss_of(model.loss, facts.scaler, facts.ends, rows=shape.blocks)
    if family.scoring is None:
        scoring = SCORES[score.kind].restore(score, loss, _below(_SCORE, parts))
    else:
        scoring = family.scoring(ensemble)
    channels = WindowChannels(shape) if shape.blocks > shape.rows else None
    scaling = Scaling(facts.scaler, window=shape.rows, channels=channels)
    if channels is not None:
        channels.load_state_dict(_below(_CHANNELS, parts))
    missing_values = missing_values_of(facts.schema)
    return ScoringNetwork(scaling, ensemble, loss, scoring, missing_values).eval()


def shape_of(schema: Schema) -> InputShape:
    """The input shape of a family for one window."""
    return InputShape(schema.window, len(schema.features), schema.derivative, schema.rolling)


def _refuse_short_windows(family: str, length: int, least: int) -> None:
    if length < least:
        msg = (
            f"Windows have {length} row(s); the family {family!r} needs at least {least}, as it "
            f"learns sequences of rows. Set window.length to {least} or more, or choose "
            "a family for single rows, such as model.family: denoising."
        )
        raise ConfigError(msg)


def _refuse_pseudo_rows(schema: Schema, loss: str) -> None:
    if (schema.derivative or schema.rolling) and loss in _OF_VALUES_ALONE:
        msg = (
            f"window.derivative and window.rolling do not go with model.loss: {loss}, which is for "
            "values as they are, not for changes or statistics. Set model.loss to mse or huber, or "
            "leave window.derivative and window.rolling out."
        )
        raise ConfigError(msg)


def _scaling(
    inputs: TrainingWindows, shape: InputShape, schema: Schema, start: WarmStart | None
) -> Scaling:
    """The scaling of rows, with the pseudo-rows that the schema asks for."""
    plain = Scaling(inputs.scaler, window=shape.rows)
    if shape.blocks == shape.rows:
        return plain
    if start is None:
        channels = fit_channels(shape, plain(torch.from_numpy(inputs.train)), schema.judged)
    else:
        channels = WindowChannels(shape)
        channels.load_state_dict(_below(_CHANNELS, _tensors(start.network)))
    return Scaling(inputs.scaler, window=shape.rows, channels=channels)


@torch.no_grad()
def _scoring(
    family: Family, settings: Score, ensemble: nn.Module, training: TrainingContext, schema: Schema
) -> nn.Module:
    """The family's own score, or the configured one."""
    if family.scoring is not None:
        return family.scoring(ensemble)

    def reconstruct(scaled: torch.Tensor) -> torch.Tensor:
        reconstruction: torch.Tensor = training.loss.reconstruction(ensemble(scaled))  # type: ignore[operator]  # torch types attributes as tensors or modules
        return reconstruction.mean(dim=0)

    train, held = training.train, training.validation
    if schema.takes_missing:
        train, held = (
            impute_mean(reconstruct, train),
            impute_stochastic(reconstruct, held, training.generator),
        )
    data = ScoreTrainingData(
        train=train,
        held=held,
        output=ensemble(training.validation),
        reconstruct=reconstruct,
        loss=training.loss,
        judged=schema.judged,
        generator=training.generator,
    )
    return SCORES[settings.kind].fit(settings, data)


def _weights(
    scaling: Scaling, ensemble: nn.Module, scoring: nn.Module
) -> dict[str, NDArray[np.float32]]:
    """All fitted numbers, by name, except the scaler, which is part of the facts."""
    parts = {f"{_NETWORK}{name}": value for name, value in ensemble.state_dict().items()}
    parts |= {f"{_SCORE}{name}": value for name, value in scoring.state_dict().items()}
    if scaling.channels is not None:
        held = scaling.channels.state_dict().items()
        parts |= {f"{_CHANNELS}{name}": value for name, value in held}
    return {name: value.numpy() for name, value in parts.items()}


def _load_weights(ensemble: nn.Module, start: FittedNetwork) -> None:
    """Load the weights of a fitted network into an untrained ensemble."""
    try:
        ensemble.load_state_dict(_below(_NETWORK, _tensors(start)))
    except RuntimeError as error:
        msg = (
            f"The weights to start from belong to a {start.facts.family} of another size "
            f"({str(error).splitlines()[-1].strip()}). Give section model the sizes of the live "
            "version, or train without warm_start."
        )
        raise BundleError(msg) from error


def _tensors(fitted: FittedNetwork) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in fitted.weights.items()}


def _below(prefix: str, parts: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): value for n, value in parts.items() if n.startswith(prefix)}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the context."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
