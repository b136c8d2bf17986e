"""Whether the monthly threshold stays correct, in simulated years, where the truth is known.

    python -m benchmarks.operation.ratchet

Each year starts at the true threshold and the true level and is recalibrated twelve times with the
shipped defaults. The rate is that of normal rows at the level of the month, 1 % by design. Where a
recalibration stops and asks, a reviewer accepts, unless it says that nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.operation.false_stops import false_stops
from benchmarks.operation.opponents import OPPONENTS
from benchmarks.operation.rows import Row
from benchmarks.operation.simulate import MONTHS, Setting
from benchmarks.operation.year import Lived, live, live_by
from pipeline.config import Recalibration

_PART = "ratchet"
_BAND = (0.0075, 0.015)
_ALIKE = 0.9  # as in measured data, and the harder case
_RHOS = (0.0, _ALIKE)
_FEW = 10  # seeds of numbers that are only reported
_SOME = 20  # for clear cases
_CREEP = 1.19
_POISON = 0.02
_POISON_MOVE = 0.1
_MOST_FALSE_STOPS = 0.03
_PROCESSES = 2


@dataclass(frozen=True)
class _Task:
    setting: Setting
    seed: int
    answer: bool = True
    months: int = MONTHS


def measure(seeds: int = 50) -> list[Row]:
    """All numbers asked of the recalibration; about four minutes on two cores."""
    with ProcessPoolExecutor(_PROCESSES) as pool:
        return [
            *_rates(pool, seeds),
            *_unanswered(pool, min(seeds, _FEW)),
            *_creep(pool, seeds),
            *_poison(pool, min(seeds, _SOME)),
            *_gullible(pool, min(seeds, _FEW)),
            *_other_years(pool, min(seeds, _FEW)),
            *_opponents(pool, min(seeds, _FEW)),
            *_false_alarms(),
        ]


def _rates(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    for rho, growth, audit in product(_RHOS, (1.0, 1.02, 1.10), (0.0, 0.2)):
        years = _lived(pool, Setting(rho=rho, growth=growth, audit=audit), seeds)
        rate = _last(years)
        inside = bool(((rate >= _BAND[0]) & (rate <= _BAND[1])).all())
        yield Row(
            _PART,
            f"rho {rho:g}, scores x {growth:.2f} a month, {_labels(audit)}: 0.75-1.5 % in every "
            f"of {seeds} seeds",
            _spread(rate),
            met=inside,
            note=f"any month {_range(_all(years))}; {_asked(years)}; interval held the truth in "
            f"{np.mean([year.covered for year in years]):.0%}",
        )


def _unanswered(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    for rho, growth in product(_RHOS, (1.02, 1.10)):
        years = _lived(pool, Setting(rho=rho, growth=growth), seeds, answer=False)
        yield Row(
            _PART,
            f"rho {rho:g}, x {growth:.2f} a month, nobody answers",
            f"{_spread(_last(years))}; threshold at most x {_highest(years):.2f}",
            met=None,
            note=_asked(years),
        )


def _creep(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    for rho in _RHOS:
        years = _lived(pool, Setting(rho=rho, growth=_CREEP), seeds, answer=False, months=2)
        shown = sum(any(year.stopped) for year in years)
        creep = sum("creep" in year.stopped[-1] for year in years)
        yield Row(
            _PART,
            f"creep x {_CREEP} a month, rho {rho:g}: stopped by the second month",
            f"{shown} of {seeds} seeds",
            met=shown == seeds,
            note=f"as creep {creep}; in the first month already "
            f"{sum(bool(year.stopped[0]) for year in years)}",
        )
    years = _lived(pool, Setting(rho=_ALIKE, growth=1.1), seeds, months=4)
    creep = sum("creep" in names for year in years for names in year.stopped)
    yield Row(
        _PART,
        f"x 1.10 a month, rho {_ALIKE:g}, four months: followed, not called creep",
        f"{creep} of {4 * seeds} recalibrations",
        met=creep == 0,
    )


def _poison(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    limit = 1 + Recalibration().maximum_total
    for rho in _RHOS:
        poisoned = Setting(rho=rho, poison=_POISON, audit=0.2)
        clean = _ends(_lived(pool, replace(poisoned, poison=0.0), seeds))
        moved = _ends(_lived(pool, poisoned, seeds))
        ratio = moved / clean
        yield Row(
            _PART,
            f"2 % isolated poison, rho {rho:g}, audits of 20 %: threshold moved by less than 10 %",
            f"x {moved.mean():.2f} ({moved.min():.2f}-{moved.max():.2f}) of the true threshold",
            met=bool((np.abs(moved - 1) < _POISON_MOVE).all()),
            note=f"x {ratio.min():.2f}-{ratio.max():.2f} of the same year without poison",
        )
        years = _lived(pool, replace(poisoned, audit=0.0), min(seeds, _FEW), answer=False)
        yield Row(
            _PART,
            f"the same without audits, nobody answers: never above x {limit:g}",
            f"at most x {_highest(years):.2f}",
            met=_highest(years) <= limit,
            note=f"rate {_range(_last(years))}; {_asked(years)}",
        )


def _gullible(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    limit = 1 + Recalibration().maximum_total
    for share, growth in ((0.005, 1.0), (0.05, 1.0), (0.05, 1.1)):
        setting = Setting(rho=_ALIKE, growth=growth, anomalies=share, gullible=True)
        years = _lived(pool, setting, seeds, answer=False)
        yield Row(
            _PART,
            f"one person labels every alert normal, {share:.1%} anomalies, x {growth:g} a month: "
            f"never above x {limit:g}",
            f"at most x {_highest(years):.2f}",
            met=_highest(years) <= limit,
            note=_asked(years),
        )


def _other_years(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    kinds = {
        "yearly wave of 25 %": Setting(year=0.25),
        "daily wave of 30 %": Setting(daily=0.3),
        "growth of 10 % a month, day by day": Setting(growth=1.1, smooth=True),
        "months of 2,000 rows": Setting(rows=2000),
        "anomalies of 1-4 rows": Setting(lengths=(1, 4)),
        "2 % anomalies": Setting(anomalies=0.02),
    }
    for (name, setting), audit in product(kinds.items(), (0.0, 0.2)):
        years = _lived(pool, replace(setting, rho=_ALIKE, audit=audit), seeds)
        yield Row(
            _PART,
            f"{name}, rho {_ALIKE:g}, {_labels(audit)}",
            _spread(_last(years)),
            met=None,
            note=f"any month {_range(_all(years))}; {_asked(years)}",
        )


def _opponents(pool: ProcessPoolExecutor, seeds: int) -> Iterator[Row]:
    for name, policy in OPPONENTS.items():
        got = []
        for growth in (1.0, 1.02, 1.1):
            setting = Setting(rho=_ALIKE, growth=growth)
            rate = np.array(
                list(pool.map(live_by, *_repeated(seeds, policy, setting), range(seeds)))
            )
            got.append(f"x {growth:g}: {_spread(rate)}")
        yield Row(_PART, f"opponent: {name}, rho {_ALIKE:g}", "; ".join(got), met=None)


def _false_alarms() -> Iterator[Row]:
    for name, measured in false_stops().items():
        yield Row(
            _PART,
            f"no drift, 1,000 rows a month, {name}: step alarm in at most 3 % of months",
            f"{measured.stopped:.1%} of {measured.months:,}",
            met=measured.stopped <= _MOST_FALSE_STOPS,
            note=f"moves over 20 %, chance or not: {measured.moved:.1%}; each threshold is of one "
            "month alone, on the shipped window it is rarer",
        )


def _lived(
    pool: ProcessPoolExecutor,
    setting: Setting,
    seeds: int,
    *,
    answer: bool = True,
    months: int = MONTHS,
) -> list[Lived]:
    tasks = [_Task(setting, seed, answer, months) for seed in range(seeds)]
    return list(pool.map(_live, tasks, chunksize=max(1, seeds // (4 * _PROCESSES))))


def _live(task: _Task) -> Lived:
    return live(task.setting, task.seed, Recalibration(), answer=task.answer, months=task.months)


def _repeated(times: int, *values: object) -> Iterable[list[object]]:
    return ([value] * times for value in values)


def _last(years: list[Lived]) -> NDArray[np.float64]:
    return np.array([year.rate[-1] for year in years])


def _all(years: list[Lived]) -> NDArray[np.float64]:
    return np.array([year.rate for year in years])


def _ends(years: list[Lived]) -> NDArray[np.float64]:
    return np.array([year.threshold[-1] for year in years])


def _highest(years: list[Lived]) -> float:
    return float(max(year.threshold.max() for year in years))


def _labels(audit: float) -> str:
    return f"audits of {audit:.0%}" if audit else "no label"


def _spread(rate: NDArray[np.float64]) -> str:
    return f"{rate.mean():.2%} ({_range(rate)})"


def _range(rate: NDArray[np.float64]) -> str:
    return f"{100 * rate.min():.2f}-{100 * rate.max():.2f} %"


def _asked(years: list[Lived]) -> str:
    """How often each bound stopped a year, and in which months."""
    found: dict[str, list[int]] = {}
    for year in years:
        for month, names in enumerate(year.stopped, start=1):
            for name in names:
                found.setdefault(name, []).append(month)
    stops = [
        f"{name} {len(when) / len(years):.2g} a year (months {min(when)}-{max(when)})"
        for name, when in found.items()
    ]
    return "asked: " + (", ".join(stops) or "never")


def main() -> None:
    """Print the rows."""
    for row in measure():
        verdict = {True: "reached", False: "MISSED", None: ""}[row.met]
        print(f"| {row.asked} | {row.got} | {verdict} | {row.note} |", flush=True)


if __name__ == "__main__":
    main()
