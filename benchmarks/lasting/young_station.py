"""A station that is 90 days old: does the rate that its first version states hold for nine months?

`python -m benchmarks.lasting.young_station`. Real data, default settings, nobody labels; the
product was tuned on other data. The marks of the technicians say which rows are normal, and only
afterwards. The threshold is judged as it was first set, and as it is operated: estimated anew each
week while it is provisional and each month after that, by somebody who accepts each question three
days later, and by nobody.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray

from benchmarks.lasting.blacksmith_fork import FIRST, absent, station_days
from benchmarks.lasting.eight_channels import trained
from benchmarks.lasting.other_trainings import other_trainings
from benchmarks.lasting.recalibrated_days import Operated
from benchmarks.lasting.station_life import (
    ASKED_UNTIL,
    YOUNG,
    StationRows,
    YoungStation,
    asked_rows,
    first_days,
    realised,
    young_station,
)
from pipeline.data.split import split
from pipeline.data.timeline import Mask
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.forward_test import forward_test
from pipeline.monitoring.provisional import is_provisional

_NAMED = 3


def summary(station: YoungStation) -> Iterator[str]:
    """What the first version stated, and what came true in nine months."""
    threshold, gate = station.threshold, station.gate
    low, high = station.stated(threshold)
    failed = [f"{each.name} ({each.value})" for each in gate.results if each.verdict == "fail"]
    yield (
        f"gate: {'passed' if gate.passed else 'refused by ' + ', '.join(failed)}; "
        f"{'provisional' if station.provisional else 'confirmed'} with "
        f"{threshold.n_effective:.0f} independent of {threshold.n:,} rows ({station.needed} are "
        f"needed); it states {low:.2%} to {high:.2%}"
    )
    alone, told = threshold.rate_interval, station.forward
    yield f"by its calibration alone {alone[0]:.2%} to {alone[1]:.2%}; {told and told.sentence}"
    kept = asked_rows(station)
    n = int((kept & station.scored.normal).sum())
    for name, rate in realised(station, kept).items():
        verdict = "inside: reached" if low <= rate <= high else "outside: MISSED"
        yield f"{name:32} {rate:7.2%} of {n:,} normal rows, {verdict}"
    yield f"questions accepted: {_course(station.accepted)}"
    yield f"nobody answers: {_course(station.unanswered)}"
    muted = station.scored.rows.muted[kept & station.scored.normal]
    yield (
        f"normal rows with a muted channel: {float(muted.mean()):.0%}; days in a new regime, all "
        f"months: {len(station.scored.rows.regime_days)}"
    )


def _course(life: Operated) -> str:
    """How often the threshold was estimated, what was asked and what did not go live."""
    made, asks = life.recalibrations, [each for each in life.recalibrations if each.stops]
    bounds = Counter(stop for each in asks for stop in each.stops)
    failed = Counter(check for each in made for check in each.failed)
    live = [each.threshold for each in made if each.threshold and not each.failed]
    rows = [each.n_effective for each in live]
    return (
        f"{len(made)} recalibrations, {sum(each.weekly for each in made)} of them because it was "
        f"provisional, {sum(bool(each.refused) for each in made)} without enough rows; "
        f"{len(asks)} asked, at bounds {dict(bounds) or 'none'}; {len(rows)} went live, with "
        f"{min(rows, default=0):.0f} to {max(rows, default=0):.0f} independent rows"
        f"{f', the first {_moved(life, live[0])}' if live else ''}; others failed "
        f"{dict(failed) or 'nothing'}"
    )


def _moved(life: Operated, new: ThresholdEstimate) -> str:
    """What the first recalibration made of the first threshold."""
    old = life.live[min(life.live)]
    return (
        f"with {new.n_effective:.1f} in place of {old.n_effective:.0f} and the threshold "
        f"{new.value / old.value - 1:+.0%}"
    )


def monthly(station: YoungStation) -> Iterator[str]:
    """A row of a Markdown table for each month with rows."""
    scored, lives = station.scored, (station.accepted, station.unanswered)
    of_row = _months(pd.Series(pd.to_datetime(scored.rows.timeline.time_ns, utc=True)))
    delivered = _months(station.delivered)
    heads = ["month", "delivered, not scored", "muted", *station.thresholds]
    heads += ["stated where accepted", "stated where not", "first false alarms by"]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for month in sorted(set(of_row)):
        here = of_row == month
        count = int((delivered == month).sum())
        cells = [month, f"{count:,}, {count - int(here.sum()):,}", _muted(scored, here)]
        cells += [f"{rate:.2%}" for rate in realised(station, here).values()]
        cells += [_stated(station, life, month) for life in lives]
        yield f"| {' | '.join([*cells, _blamed(scored, here)])} |"


def _muted(scored: StationRows, here: Mask) -> str:
    shares = {name: float(rows[here].mean()) for name, rows in scored.muted.items()}
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share) or "-"


def _blamed(scored: StationRows, here: Mask) -> str:
    """The channels that carry the false alarms of the first threshold, with shifts muted."""
    carried = Counter(each for each in scored.blamed[here & scored.normal].tolist() if each)
    return ", ".join(f"{name} {count:,}" for name, count in carried.most_common(_NAMED)) or "-"


def _stated(station: YoungStation, life: Operated, month: str) -> str:
    """What the threshold said that was live in the middle of the month."""
    middle = date.fromisoformat(f"{month}-15")
    threshold = life.live[max(day for day in life.live if day <= middle)]
    low, high = station.stated(threshold)
    word = ", provisional" if is_provisional(threshold, needed=station.needed) else ""
    return f"{low:.2%}-{high:.2%}{word}"


def _months(times: pd.Series) -> NDArray[np.str_]:
    return np.array([f"{each:%Y-%m}" for each in times])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was stated and what came true, and a table by month."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if why := absent():
        print(f"Young station: skipped, {why}")
        return
    days = station_days()
    with tempfile.TemporaryDirectory() as scratch:
        frame = days.telemetry[first_days(days)].reset_index(drop=True)
        forward = forward_test(split(frame, days.spec), days.spec)
        station = young_station(days, trained(frame, days.spec, Path(scratch) / "first"), forward)
    print(f"Blacksmith Fork, trained on {FIRST} and {YOUNG.days - 1} more days, without labels")
    print("\n".join([*summary(station), "", *monthly(station)]), flush=True)
    print("\nThe same days, trained otherwise:")
    for other in other_trainings(days, FIRST + YOUNG, ASKED_UNTIL):
        print(other.text)


if __name__ == "__main__":
    main()
