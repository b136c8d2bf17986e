"""From a train block to a fitted network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import nn

from pipeline.config.fitting import Model
from pipeline.data.split import Block, rows_for
from pipeline.data.timeline import subset
from pipeline.detector.descent import OnCheck, descend
from pipeline.detector.fitted import Facts, FittedNetwork
from pipeline.detector.frames import feature_values, timeline_of
from pipeline.detector.holdout import hold_out
from pipeline.detector.models import MODELS
from pipeline.detector.network import Scaling, ScoringNetwork, squared_error
from pipeline.detector.onnx_export import export
from pipeline.detector.ranges import Ranges, ranges_of
from pipeline.detector.scaling import Scaler, fit_scaler
from pipeline.detector.schema import Schema
from pipeline.detector.scored import Rows
from pipeline.detector.weighing import weigh
from pipeline.detector.windows import windows
from pipeline.errors import DataError

LOSS = "mean squared error"

_VALIDATION_EVERY = 10
_FEWEST_WINDOWS = 10
_PROBE_ROWS = 256

log = structlog.get_logger()


def fit(
    block: Block,
    schema: Schema,
    settings: Model,
    *,
    threads: int = 1,
    on_check: OnCheck | None = None,
) -> FittedNetwork:
    """The network for the normal rows of a train block.

    About one window in ten, in whole stretches of time, is set aside inside the block: it decides
    when to stop and what error is usual. The same rows, settings and thread count on the same
    kind of machine give the same bytes. Global random state is neither read nor changed.

    Raises:
        SplitReuseError: the block is not for training.
        DataError: a feature is absent or not finite, or there are too few windows.
    """
    train, validation, scaler, ranges = _inputs(block, schema, settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    family = MODELS[settings.family]
    with _threads(threads):
        ensemble = family.build(settings, schema.inputs, generator)
        scaling = Scaling(scaler, window=schema.window)
        scaled, exam = (scaling(torch.from_numpy(rows)) for rows in (train, validation))
        descent = descend(ensemble, family, settings, scaled, exam, generator, on_check)
        error = _errors(ensemble, exam, len(schema.features))
        weighing = weigh(error, schema.judged, settings.error_weighting, settings.error_cap)
        network = ScoringNetwork(ensemble, scaler, weighing, window=schema.window)
        graph = export(network, validation[:_PROBE_ROWS])
    facts = Facts(
        schema=schema,
        settings=settings.model_dump(mode="json"),
        loss=LOSS,
        scaler=scaler,
        weighing=weighing,
        rows_train=len(train),
        rows_validation=len(validation),
        best_step=descent.best_step,
        history=descent.history,
        ranges=ranges,
    )
    log.info("detector_fitted", rows=len(train), best_step=descent.best_step)
    weights = {name: value.numpy() for name, value in ensemble.state_dict().items()}
    return FittedNetwork(facts, weights, graph)


def restore(fitted: FittedNetwork) -> ScoringNetwork:
    """The torch network of a fit, from its weights: to train on from, or to compare with."""
    facts = fitted.facts
    family = MODELS[facts.family]
    settings: Model = TypeAdapter(Model).validate_python(facts.settings)
    ensemble = family.build(settings, facts.schema.inputs, torch.Generator())
    ensemble.load_state_dict(
        {name: torch.from_numpy(np.array(value)) for name, value in fitted.weights.items()}
    )
    return ScoringNetwork(ensemble, facts.scaler, facts.weighing, window=facts.schema.window).eval()


def _inputs(block: Block, schema: Schema, seed: int) -> tuple[Rows, Rows, Scaler, Ranges]:
    """Windows to train on, windows to validate on, scaler and ranges of all their rows."""
    frame = rows_for(block, "train")
    values, line = feature_values(frame, schema), timeline_of(frame, schema)
    held = hold_out(len(values), line, every=_VALIDATION_EVERY, seed=seed)
    parts = []
    for mask in (~held, held):
        kept = None if line is None else subset(line, mask)
        parts.append(windows(values[mask], schema.window, kept).rows)
    train, validation = parts
    if len(train) < _FEWEST_WINDOWS or not len(validation):
        msg = (
            f"The train block gives {len(train):,} windows of {schema.window} row(s) to train on "
            f"and {len(validation):,} to validate on, from {len(values):,} rows; at least "
            f"{_FEWEST_WINDOWS} and 1 are needed. Provide more normal rows (a longer "
            "split.training_days), or shorten window.length."
        )
        raise DataError(msg)
    return train, validation, fit_scaler(values, schema.judged), ranges_of(values)


@torch.no_grad()
def _errors(ensemble: nn.Module, scaled: torch.Tensor, features: int) -> NDArray[np.float32]:
    made: torch.Tensor = ensemble(scaled)
    error: NDArray[np.float32] = squared_error(made, scaled, features).numpy()
    return error


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
