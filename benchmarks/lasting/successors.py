"""Successors on a stationary plant: a clean one should replace a clean champion, a blind one not.

`python -m benchmarks.lasting.successors --trials N`. The margin of the paired test was chosen on
seeds below 100; this reports on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.lasting.eight_channels import DAYS, GateTrial, candidate, contaminated, plant_rows
from benchmarks.lasting.first_version import (
    AskedShare,
    blind,
    measured,
    refused,
    report,
    seeds_of,
)


def successor(share: float, seed: int) -> GateTrial:
    """A version from the 90 days after those of a clean champion; a share of its rows is faulty."""
    before, frame = plant_rows(DAYS, seed), plant_rows(DAYS, seed, first_day=DAYS)
    return candidate(contaminated(frame, share, seed) if share else frame, seed, before)


def by_fault_size(trial: GateTrial) -> bool:
    """Whether the paired test refused it."""
    return "fault_size_vs_champion" in trial.failed


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    seeds = seeds_of(arguments, __doc__ or "")
    print(f"Successors of a clean champion, seeds {seeds.start} to {seeds.stop - 1}")
    clean = measured(partial(successor, 0.0), seeds)
    print(report("clean", clean, AskedShare("refused", refused, 0.1)))
    print(report("clean", clean, AskedShare("refused by fault size", by_fault_size, 0.05)))
    faulty = measured(partial(successor, 0.05), seeds)
    print(report("5% of rows faulty", faulty, AskedShare("passed and blind", blind, 0.0)))


if __name__ == "__main__":
    main()
