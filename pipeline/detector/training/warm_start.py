"""Fine-tuning: training continues from the weights of a network, on newer and some older rows.

The older rows are a rehearsal: a network that is trained on the newest month only forgets the
others (McCloskey & Cohen, 1989; rehearsal: Robins, Connection Science 1995). Train and validation
rows are mixed in the same shares, so that a step that forgets raises the validation error and is
not kept. The network keeps the scaler of its first fit, and the ends between which `model.loss:
bce` computes shares: its output never reaches values beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.config import FineTuning
from pipeline.config.family import TrainedModel
from pipeline.config.model import Model
from pipeline.data.split import Block
from pipeline.detector.inputs.scaling import Ranges, Scaler
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.models.fitted import Facts, FittedNetwork
from pipeline.errors import BundleError, DataError

if TYPE_CHECKING:
    from pipeline.detector.training.training_windows import (
        TrainingWindows,  # brings torch, which few callers need
    )

_FIX = "train without warm_start, from new weights."


@dataclass(frozen=True)
class WarmStart:
    """The start of a fine-tuning.

    Attributes:
        network: the fit whose weights it starts from.
        older: train rows of the days that this fit was trained on.
        share: share of older windows; 0 to below 1.
    """

    network: FittedNetwork
    older: Block
    share: float


def tuned(model: Model, settings: FineTuning) -> Model:
    """The model section of a fine-tuning: fewer and smaller steps, all else unchanged.

    Raises:
        BundleError: the family is not trained in steps.
    """
    if not isinstance(model, TrainedModel):
        msg = f"model.family {model.family!r} is fitted in one go and cannot be fine-tuned; {_FIX}"
        raise BundleError(msg)
    changes = {"steps": settings.steps, "learning_rate": settings.learning_rate}
    return model.model_copy(update=changes)


def refuse_other(start: Facts, schema: Schema, model: Model) -> None:
    """Refuse a fit that cannot start from the weights of `start`; sizes are compared on loading.

    Raises:
        BundleError: family, loss or input differ, be it in the order of the features.
    """
    _refuse_other_order(start.schema.features, schema.features)
    of_network = ("features", "context", "window", "derivative", "rolling", "takes_missing")
    compared = {
        "model.family": (start.family, model.family),
        "model.loss": (start.loss, model.loss),
        **{name: (getattr(start.schema, name), getattr(schema, name)) for name in of_network},
    }
    for name, (was, now) in compared.items():
        if was != now:
            msg = f"{name} is {now!r}, and {was!r} in the version to start from: {_FIX}"
            raise BundleError(msg)


def replayed(
    recent: TrainingWindows, older: TrainingWindows, start: WarmStart, schema: Schema, model: Model
) -> TrainingWindows:
    """Recent windows, mixed with a random sample of older ones that makes up their share.

    The scaler is that of `start`, and its ranges are widened by the recent rows; the older ones are
    within them. Where there are too few older windows, some are sampled more than once.

    Raises:
        BundleError: the weights to start from belong to another network.
        DataError: rows of only one of the two have a time.
    """
    refuse_other(start.network.facts, schema, model)
    if (recent.time_ns is None) != (older.time_ns is None):
        msg = "Either the recent rows or the older ones have no time; give both the time column."
        raise DataError(msg)
    generator = np.random.default_rng(model.seed)
    ratio = start.share / (1 - start.share)
    train = _chosen(len(older.train), round(ratio * len(recent.train)), generator)
    held = _chosen(len(older.validation), round(ratio * len(recent.validation)), generator)
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


def _refuse_other_order(was: tuple[str, ...], now: tuple[str, ...]) -> None:
    if was != now and sorted(was) == sorted(now):
        msg = (
            f"The version to start from has its features in another order ({', '.join(was)}) than "
            f"the detector file ({', '.join(now)}), and its weights belong to that order. Train "
            "once without warm_start; later trainings can start from that version."
        )
        raise BundleError(msg)


def _chosen(available: int, wanted: int, generator: np.random.Generator) -> NDArray[np.intp]:
    chosen: NDArray[np.intp] = generator.choice(available, wanted, replace=wanted > available)
    return np.sort(chosen)


def _spread(recent: Rows, older: Rows) -> Rows:
    """Both, evenly mixed: a check uses every n-th row, and needs rows of both."""
    place = np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in (recent, older)])
    mixed: Rows = np.concatenate([recent, older])[np.argsort(place, kind="stable")]
    return mixed


def _widened(scaler: Scaler, recent: Scaler, judged: tuple[bool, ...]) -> Scaler:
    """The same scales; context is clipped to the range that either has seen."""
    mean, scale = np.array(scaler.mean), np.array(scaler.scale)
    ends = {}
    for name, wider in (("lowest", np.minimum), ("highest", np.maximum)):
        bound, new = np.array(getattr(scaler, name)), np.array(getattr(recent, name))
        seen = (new * np.array(recent.scale) + np.array(recent.mean) - mean) / scale
        ends[name] = tuple(np.where(judged, bound, wider(bound, seen)).tolist())
    return replace(scaler, **ends)
