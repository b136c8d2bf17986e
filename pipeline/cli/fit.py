"""`fit`: a bundle from a Parquet file of normal rows."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pipeline.errors import BundleError
from pipeline.provenance import code_version, lock_hash

if TYPE_CHECKING:
    from pipeline.config import DetectorSpec
    from pipeline.detector.calibration.calibrated import Calibration
    from pipeline.detector.models.fitted import Check, FittedNetwork

HELP = "Fit a detector on the normal rows of a Parquet file and write its bundle."

_PROGRESS_S = 2.0
_EPISODES_SHOWN = 10
_MOST_ROWS = 500_000
"""600 steps of 256 rows use 153,600 at most; a sixth is for calibration; the rest is reserve."""
_FEWEST_ROWS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `fit`."""
    parser.add_argument(
        "--train", type=Path, required=True, metavar="FILE.parquet", help="or a folder of them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="SPEC.yaml",
        help="the detector's file; without it every numeric column is a feature",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE.parquet",
        help="normal rows to estimate the threshold on; without it part of --train is held out",
    )
    parser.add_argument(
        "--max-rows",
        type=_enough,
        default=_MOST_ROWS,
        metavar="N",
        help="of more rows this many are sampled, evenly and always the same; the others stay on "
        "disk (default: %(default)s; a default training uses 153,600)",
    )


def _enough(text: str) -> int:
    rows = int(text)
    if rows < _FEWEST_ROWS:
        msg = f"{rows} rows are too few to train and to calibrate; at least {_FEWEST_ROWS}"
        raise argparse.ArgumentTypeError(msg)
    return rows


def run(arguments: argparse.Namespace) -> int:
    """Fit, calibrate, write; print to stderr which rows were left out and any warnings."""
    out: Path = arguments.out
    _refuse_foreign_folder(out)

    from pipeline.cli.blocks import blocks_of, settings_of
    from pipeline.config import Contexts, Smoothing, load_detector
    from pipeline.config.family import TrainedModel
    from pipeline.detector.bundle.graph import Graph
    from pipeline.detector.calibration.calibrate import calibrate
    from pipeline.detector.training.refit import FitSettings, fit_held_back

    # The content of the log events is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    spec = load_detector(arguments.detector) if arguments.detector else None
    blocks = blocks_of(arguments.train, arguments.calibration, spec, most=arguments.max_rows)
    for remark in blocks.remarks:
        print(remark, file=sys.stderr)
    model, score, threshold = settings_of(spec, timed=blocks.schema.timestamp is not None)
    print(
        f"Training on {len(blocks.train.frame):,} rows x {len(blocks.schema.features)} features; "
        f"{len(blocks.calibration.frame):,} rows for the threshold.\n"
        f"Features: {', '.join(blocks.schema.features)}.",
        flush=True,
    )
    steps = model.steps if isinstance(model, TrainedModel) else 0
    settings = FitSettings(blocks.schema, model, score, threshold.alpha)
    fitted = fit_held_back(blocks.train, settings, threads=1, on_check=_Progress(steps))
    calibration = calibrate(
        blocks.calibration,
        blocks.schema,
        Graph(fitted.graph).score,
        threshold,
        smoothing=spec.smoothing if spec else Smoothing(),
        contexts=spec.contexts if spec else Contexts(),
    )
    _write(fitted, calibration, out, spec, blocks.manifest)
    _report(fitted, calibration, out)
    return 0


class _Progress:
    """Prints the progress every two seconds."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.printed = time.monotonic()

    def __call__(self, check: Check) -> None:
        if time.monotonic() - self.printed > _PROGRESS_S:
            self.printed = time.monotonic()
            progress = f"  step {check.step:,}/{self.steps:,}  validation {check.validation:.4f}"
            print(progress, flush=True)


def _refuse_foreign_folder(out: Path) -> None:
    """Raise unless `out` can be created or is a bundle that this fit replaces."""
    if out.exists() and not out.is_dir():
        msg = f"{out}: is a file; give a folder for the bundle"
        raise BundleError(msg)
    if out.is_dir() and any(out.iterdir()) and not (out / "SHA256SUMS").is_file():
        msg = f"{out}: holds other files than a bundle; give a new or an empty folder"
        raise BundleError(msg)


def _write(
    fitted: FittedNetwork,
    calibration: Calibration,
    out: Path,
    spec: DetectorSpec | None,
    manifest: dict[str, object],
) -> None:
    """Write the bundle beside `out` and move it there when it is complete."""
    from pipeline.detector.bundle.bundle import load_bundle, write_bundle
    from pipeline.detector.bundle.description import Provenance

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        draft = Path(scratch) / "bundle"
        name = spec.name if spec else "unnamed"
        provenance = Provenance(manifest, code_version(), lock_hash())
        write_bundle(fitted, calibration, draft, name=name, provenance=provenance)
        load_bundle(draft)
        if out.is_dir():
            shutil.rmtree(out)
        draft.rename(out)


def _report(fitted: FittedNetwork, calibration: Calibration, out: Path) -> None:
    threshold = calibration.threshold
    ends = [f"{end:.6g}" if end is not None else "unbounded" for end in threshold.interval]
    low, high = threshold.rate_interval
    if fitted.facts.best_step:
        print(f"Stopped at step {fitted.facts.best_step:,}.")
    print(
        f"Threshold {threshold.value:.6g}, 95 % interval {ends[0]} to {ends[1]} "
        f"({threshold.method}).\n"
        f"Expected false-positive rate {low:.2%} to {high:.2%} (95 %), asked for "
        f"{threshold.alpha:.2%}."
    )
    for line in _held_back(fitted, calibration):
        print(line)
    for remark in fitted.facts.remarks:
        print(f"note: {remark}", file=sys.stderr)
    if threshold.note:
        print(f"warning: {threshold.note}", file=sys.stderr)
    print(f"Bundle: {out}")


def _held_back(fitted: FittedNetwork, calibration: Calibration) -> Iterator[str]:
    """The rows that neither train nor estimate the threshold, block by block."""
    from pipeline.data.held_back import held_lines, held_sentence

    blocks = {"train": fitted.facts.held, "calibration": calibration.summary.held}
    if calibration.reference.timeline is None:
        yield "Nothing was held back: without time, rows do not show what lasts."
    for block, held in blocks.items():
        if held is not None and held.rows:
            yield held_sentence(held, block)
            yield from (f"  {line}" for line in held_lines(held, _EPISODES_SHOWN))
