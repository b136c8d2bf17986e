"""`tune`: try other settings for a detector within its training rows."""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from optuna.study import Study

    from pipeline.config.model import Model
    from pipeline.config.score import Score
    from pipeline.tuning.spaces import Value
    from pipeline.tuning.study import TrialRow
    from pipeline.tuning.trying import Tried, TuningData

HELP = (
    "Try other settings of the model and its score for a number of seconds. Without labels the aim "
    "is the share of planted faults that is caught: it finds settings that are blind, and hardly "
    "ranks those that are not. Calibration and test rows of a candidate are not used."
)

_SHOWN = 10
_MOST_ROWS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `tune`."""
    parser.add_argument("--train", type=Path, required=True, metavar="FILE.parquet")
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="SPEC.yaml",
        help="the detector's file; without it the default model is tuned on every numeric column",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        required=True,
        metavar="N",
        help="no try begins later; the last one is completed",
    )
    parser.add_argument(
        "--study",
        type=Path,
        required=True,
        metavar="FILE",
        help="file of the tries; a file of an earlier call is continued",
    )


def _positive(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        msg = f"{text} seconds are too few for a try; give more than 0"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Search, then print the tries, the best settings, and whether they beat another seed."""
    from pipeline.cli.blocks import settings_of
    from pipeline.cli.tuning_rows import ground_of
    from pipeline.config import Gate, load_detector
    from pipeline.tuning.spaces import suggest
    from pipeline.tuning.study import Search, open_study, search

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    spec = load_detector(arguments.detector) if arguments.detector else None
    model, score, _ = settings_of(spec)
    limit = (spec.gate if spec else Gate()).maximum_noise_passthrough
    ground = ground_of(arguments.train, spec, most=_MOST_ROWS)
    meaning = _meaning(ground, model, score, limit)
    study = open_study(arguments.study, meaning)
    how = Search(
        suggest=lambda trial: suggest(trial, model, score),
        attempt=lambda changes, further: _attempt(ground, model, score, changes, further),
        limit=limit,
        seed=model.seed,
        meaning=meaning,
    )
    print(
        f"Each try fits on {len(ground.train.frame):,} rows, estimates a threshold on "
        f"{len(ground.calibration.frame):,} and plants faults in {len(ground.test):,}.",
        flush=True,
    )
    try:
        search(study, how, seconds=arguments.seconds, report=lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        print("Interrupted: completed tries are kept.", file=sys.stderr)
    _report(study, limit)
    return 0


def _attempt(
    ground: TuningData, model: Model, score: Score, changes: Mapping[str, Value], further: int
) -> Tried:
    """Try the present settings with `changes`, with the seed plus `further`."""
    from pipeline.tuning.trying import attempt

    new_model, new_score = _changed(model, score, changes)
    seed = model.seed + further
    return attempt(ground, new_model.model_copy(update={"seed": seed}), new_score, seed=seed)


def _changed(model: Model, score: Score, changes: Mapping[str, Value]) -> tuple[Model, Score]:
    """Both sections with `changes`, which are named `model.width`."""
    from pydantic import TypeAdapter, ValidationError

    from pipeline.config.model import Model as AnyModel
    from pipeline.config.score import Score as AnyScore

    def of(section: str) -> dict[str, Value]:
        prefix = f"{section}."
        return {k.removeprefix(prefix): v for k, v in changes.items() if k.startswith(prefix)}

    try:
        return (
            TypeAdapter(AnyModel).validate_python({**model.model_dump(), **of("model")}),
            TypeAdapter(AnyScore).validate_python({**score.model_dump(), **of("score")}),
        )
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"]) from error


def _meaning(ground: TuningData, model: Model, score: Score, limit: float) -> dict[str, str]:
    """The settings that all tries of a study share, so that they are comparable."""
    import pandas as pd

    digest = hashlib.sha256()
    for frame in (ground.train.frame, ground.calibration.frame, ground.test):
        columns = sorted(set(frame.columns) & set(ground.fixed.schema.features))
        digest.update(pd.util.hash_pandas_object(frame[columns], index=False).to_numpy().tobytes())
    return {
        "family": model.family,
        "present settings": f"{model.model_dump_json()} {score.model_dump_json()}",
        "gate.maximum_noise_passthrough": f"{limit:g}",
        "alpha, smoothing and contexts": f"{ground.fixed.alpha:g} "
        f"{ground.fixed.smoothing.model_dump_json()} {ground.fixed.contexts.model_dump_json()}",
        "rows": digest.hexdigest()[:16],
    }


def _report(study: Study, limit: float) -> None:
    from pipeline.tuning.study import noise_of, present, trial_rows

    table, now = trial_rows(study), present(study)
    print()
    for row in table[:_SHOWN]:
        print(_row(row, limit))
    if len(table) > _SHOWN:
        print(f"and {len(table) - _SHOWN} more in the study")
    best = next((row for row in table if row.allowed and row.caught is not None), None)
    if best is None or best.caught is None:
        print("No completed try would pass the gate; give more --seconds.")
        return
    print("\nBest settings, to paste into the detector's file:\n")
    print(_snippet(best.settings))
    noise = noise_of(now)
    if noise is None:
        print(f"The present settings were tried with {len(now)} of 3 seeds: nothing to compare to.")
        return
    mean = sum(now) / len(now)
    gain = best.caught - mean
    print(
        f"They caught {best.caught:.1%} of the planted faults, the present settings {mean:.1%} in "
        f"the mean of {len(now)} seeds: {gain:+.1%}, where another seed alone makes {noise:.1%}."
    )
    print(
        "This is more than another seed would change, though the best of many tries is also the "
        "luckiest. Planted faults are not real ones: let the gate and known incidents decide."
        if gain > noise
        else "This is no more than another seed would change: keep the present settings."
    )


def _row(row: TrialRow, limit: float) -> str:
    settings = "  ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in row.settings.items()
    )
    if row.caught is None:
        return f"try {row.number:3d}  failed        {settings}  ({row.reason})"
    passed = row.noise_passthrough
    noise = "no noise test" if passed is None else f"noise {passed:.2f}"
    refused = "" if row.allowed else f" above {limit:g}: the gate would refuse"
    return f"try {row.number:3d}  {row.caught:6.1%}  {noise}{refused}  {settings}"


def _snippet(settings: Mapping[str, Value]) -> str:
    import yaml

    sections: dict[str, dict[str, Value]] = {}
    for name, value in settings.items():
        section, key = name.split(".")
        sections.setdefault(section, {})[key] = (
            float(f"{value:.3g}") if isinstance(value, float) else value
        )
    return str(yaml.safe_dump(sections, sort_keys=False))
