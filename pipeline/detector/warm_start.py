"""Fine-tuning: a network goes on from the weights of another, on newer rows and on some older ones.

The older rows are a rehearsal: a network that is shown only the newest month forgets the others
(McCloskey & Cohen, 1989; rehearsal: Robins, Connection Science 1995). Train and validation rows
are mixed in the same shares, so that a step which forgets raises the validation error and is not
kept. What the network is shown stays in the scales that its weights were learnt in, and so do the
ends between which `model.loss: bce` takes shares: what lies beyond them now is never reached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.config import FineTuning
from pipeline.config.model import Model, TrainedModel
from pipeline.data.split import Block
from pipeline.detector.fitted import Facts, FittedNetwork
from pipeline.detector.ranges import Ranges
from pipeline.detector.scaling import Scaler
from pipeline.detector.schema import Schema
from pipeline.detector.scored import Rows
from pipeline.errors import BundleError, DataError

if TYPE_CHECKING:
    from pipeline.detector.training_windows import (
        TrainingWindows,  # brings torch, which few callers need
    )

_MEND = "train without warm_start, from new weights."


@dataclass(frozen=True)
class WarmStart:
    """What a fine-tuning goes on from.

    Attributes:
        network: the fit whose weights come first.
        older: train rows of the days that it learnt from.
        share: of the windows, older ones; 0 to below 1.
    """

    network: FittedNetwork
    older: Block
    share: float


def tuned(model: Model, settings: FineTuning) -> Model:
    """The model section of a fine-tuning: fewer and smaller steps, all else as it is.

    Raises:
        BundleError: the family is not trained step by step.
    """
    if not isinstance(model, TrainedModel):
        msg = f"model.family {model.family!r} is fitted in one go and goes on from nothing; {_MEND}"
        raise BundleError(msg)
    changes = {"steps": settings.steps, "learning_rate": settings.learning_rate}
    return model.model_copy(update=changes)


def refuse_other(start: Facts, schema: Schema, model: Model) -> None:
    """Let a fit pass that can go on from the weights of `start`; sizes are compared with weights.

    Raises:
        BundleError: family, loss or input differ.
    """
    of_network = ("features", "context", "window", "derivative", "rolling", "takes_missing")
    compared = {
        "model.family": (start.family, model.family),
        "model.loss": (start.loss, model.loss),
        **{name: (getattr(start.schema, name), getattr(schema, name)) for name in of_network},
    }
    for name, (was, now) in compared.items():
        if was != now:
            msg = f"{name} is {now!r}, and {was!r} of the version to start from: {_MEND}"
            raise BundleError(msg)


def replayed(
    recent: TrainingWindows, older: TrainingWindows, start: WarmStart, schema: Schema, model: Model
) -> TrainingWindows:
    """Recent windows, and so many older ones, drawn at random, that they make up their share.

    Scaled as `start` is. What it knows of ranges is widened by the recent rows; the older ones are
    within it. Where too few older windows are left, some come more than once.

    Raises:
        BundleError: the weights to start from are of another network.
        DataError: rows of only one of the two have a time.
    """
    refuse_other(start.network.facts, schema, model)
    if (recent.time_ns is None) != (older.time_ns is None):
        msg = "Either the recent rows or the older ones have no time; give both the time column."
        raise DataError(msg)
    draw = np.random.default_rng(model.seed)
    ratio = start.share / (1 - start.share)
    train = _chosen(len(older.train), round(ratio * len(recent.train)), draw)
    held = _chosen(len(older.validation), round(ratio * len(recent.validation)), draw)
    facts = start.network.facts
    return replace(
        recent,
        train=np.concatenate([recent.train, older.train[train]]),
        validation=_spread(recent.validation, older.validation[held]),
        time_ns=None
        if recent.time_ns is None or older.time_ns is None
        else np.concatenate([recent.time_ns, older.time_ns[train]]),
        scaler=_widened(facts.scaler, recent.scaler, schema.judged),
        ranges=Ranges(
            tuple(map(min, facts.ranges.lowest, recent.ranges.lowest)),
            tuple(map(max, facts.ranges.highest, recent.ranges.highest)),
        ),
    )


def _chosen(available: int, wanted: int, draw: np.random.Generator) -> NDArray[np.intp]:
    chosen: NDArray[np.intp] = draw.choice(available, wanted, replace=wanted > available)
    return np.sort(chosen)


def _spread(recent: Rows, older: Rows) -> Rows:
    """Both, evenly mixed: an exam takes every so-many-th row, and must meet both."""
    place = np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in (recent, older)])
    mixed: Rows = np.concatenate([recent, older])[np.argsort(place, kind="stable")]
    return mixed


def _widened(scaler: Scaler, recent: Scaler, judged: tuple[bool, ...]) -> Scaler:
    """The same scales; context is read as far as either has seen it."""
    mean, scale = np.array(scaler.mean), np.array(scaler.scale)
    ends = {}
    for name, wider in (("lowest", np.minimum), ("highest", np.maximum)):
        bound, new = np.array(getattr(scaler, name)), np.array(getattr(recent, name))
        seen = (new * np.array(recent.scale) + np.array(recent.mean) - mean) / scale
        ends[name] = tuple(np.where(judged, bound, wider(bound, seen)).tolist())
    return replace(scaler, **ends)
