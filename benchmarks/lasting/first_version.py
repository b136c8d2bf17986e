"""First versions: a clean one should pass the gate, one from faulty rows should not be blind.

`python -m benchmarks.lasting.first_version --trials N`. What is held back and the limits of the
gate were chosen on seeds below 100; this reports on others.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from benchmarks.lasting.eight_channels import DAYS, GateTrial, candidate, contaminated, plant_rows
from pipeline.detector.thresholds.coverage import clopper_pearson

FIRST_SEED = 1000
_BLIND = 0.8
_WORKERS = 2

Trial = TypeVar("Trial")


@dataclass(frozen=True)
class AskedShare:
    """A number that is asked of many trials.

    Attributes:
        text: what is counted.
        counts: whether a trial counts.
        most: largest share that is allowed.
    """

    text: str
    counts: Callable[[GateTrial], bool]
    most: float


def refused(trial: GateTrial) -> bool:
    """Whether the gate refused it."""
    return not trial.passed


def blind(trial: GateTrial) -> bool:
    """Whether it passed although it misses a fifth of the faults."""
    return trial.passed and trial.seen.caught < _BLIND


def first_version(share: float, seed: int) -> GateTrial:
    """A version from 90 days, of which a share of the rows is faulty and unlabelled."""
    frame = plant_rows(DAYS, seed)
    return candidate(contaminated(frame, share, seed) if share else frame, seed)


def report(name: str, trials: Sequence[GateTrial], question: AskedShare) -> str:
    """Two lines: the answer with its Clopper-Pearson interval, and what the trials were like."""
    hits, n = sum(map(question.counts, trials)), len(trials)
    low, high = clopper_pearson(hits / n, n)
    failed = Counter(check for trial in trials for check in trial.failed)
    rates = [trial.seen.rate for trial in trials]
    caught = [trial.seen.caught for trial in trials]
    reached = "reached" if hits / n <= question.most else "MISSED"
    return (
        f"{name:44} {question.text} {hits} of {n}: {hits / n:.0%} ({low:.0%}-{high:.0%}), "
        f"asked <= {question.most:.0%}: {reached}\n"
        f"{'':44} passed {sum(trial.passed for trial in trials)}; flags {sum(rates) / n:.2%} of "
        f"later normal rows ({min(rates):.2%}-{max(rates):.2%}); 4-sd faults caught "
        f"{min(caught):.0%}-{max(caught):.0%}; failed: {dict(failed) or 'none'}"
    )


def seeds_of(arguments: Sequence[str] | None, about: str) -> range:
    """The seeds that the command line asks for."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    given = parser.parse_args(arguments)
    return range(given.first_seed, given.first_seed + given.trials)


def measured(tried: Callable[[int], Trial], seeds: range) -> list[Trial]:
    """A trial for each seed, on both cores."""
    with ProcessPoolExecutor(_WORKERS, initializer=_quiet) as pool:
        return list(pool.map(tried, seeds))


def _quiet() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    seeds = seeds_of(arguments, __doc__ or "")
    print(f"First versions, {DAYS} days, seeds {seeds.start} to {seeds.stop - 1}")
    clean = AskedShare("refused", refused, 0.1)
    none_blind = AskedShare("passed and blind", blind, 0.0)
    for share in (0.0, 0.02, 0.05):
        name = f"{share:.0%} of rows faulty" if share else "clean"
        trials = measured(partial(first_version, share), seeds)
        print(report(name, trials, none_blind if share else clean), flush=True)


if __name__ == "__main__":
    main()
