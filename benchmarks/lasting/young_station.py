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
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray

from benchmarks.lasting.blacksmith_fork import FIRST, MARK, StationDays, absent, station_days
from benchmarks.lasting.eight_channels import TrainedVersion, judged, trained
from benchmarks.lasting.other_trainings import other_trainings
from benchmarks.lasting.recalibrated_days import Operated, OperatedRows, ServingThreshold, operated
from benchmarks.lasting.scored_days import scored_days
from pipeline.config import DetectorSpec
from pipeline.data.grid import day_number
from pipeline.data.timeline import Mask, timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.gate import GateVerdict, decide
from pipeline.incidents.parts import IncidentPart, day_parts, largest_gaps
from pipeline.monitoring.provisional import is_provisional
from pipeline.recalibration import Recalibrated, WindowRows
from pipeline.recalibration.ancestry import anchor_of
from pipeline.scoring import score_rows
from pipeline.steps.recalibrating import memory_of
from pipeline.steps.recalibration_facts import thresholds_compared
from pipeline.utc_day import DAY_NS, ONE_DAY

YOUNG = timedelta(days=90)
ASKED_UNTIL = date(2019, 12, 31)
"""Nine months after the training; the source goes on in the new year, which is reported too."""

_NAMED = 3


@dataclass(frozen=True)
class StationRows:
    """The n rows after the training, scored.

    Attributes:
        rows: as they are operated.
        unmuted: scores with nothing muted, shape (n,).
        normal: rows that technicians left alone, shape (n,).
        muted: how many rows lack each channel.
        blamed: by row of a false alarm of the first threshold, the channel that carries it.
    """

    rows: OperatedRows
    unmuted: NDArray[np.float64]
    normal: Mask
    muted: dict[str, Mask]
    blamed: NDArray[np.str_]


@dataclass(frozen=True)
class YoungStation:
    """The first version and its life.

    Attributes:
        threshold: of the first version.
        gate: the verdict on it.
        needed: independent rows with which it would count as confirmed.
        delivered: times of the rows of the source.
        scored: the rows after the training.
        accepted: operated by somebody who accepts each question.
        unanswered: operated by nobody.
    """

    threshold: ThresholdEstimate
    gate: GateVerdict
    needed: int
    delivered: pd.Series
    scored: StationRows
    accepted: Operated
    unanswered: Operated

    @property
    def provisional(self) -> bool:
        """Whether the first version is."""
        return is_provisional(self.threshold, needed=self.needed)

    @property
    def thresholds(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Score and threshold of each row, by the way it is operated."""
        score, first = (
            self.scored.rows.score,
            np.full(len(self.scored.normal), self.threshold.value),
        )
        return {
            "first threshold, shifts muted": (score, first),
            "first threshold, nothing muted": (self.scored.unmuted, first),
            "operated, questions accepted": (score, self.accepted.threshold),
            "operated, nobody answers": (score, self.unanswered.threshold),
        }


def first_days(days: StationDays) -> Mask:
    """The rows of the training."""
    first: Mask = (days.telemetry["timestamp"].dt.date < FIRST + YOUNG).to_numpy(dtype=bool)
    return first


def young_station(days: StationDays, version: TrainedVersion) -> YoungStation:
    """Judge the first version, and live through the days after its training."""
    spec, bundle = days.spec, version.bundle
    scored = scored_station(bundle, days.telemetry, spec)
    until, threshold = FIRST + YOUNG - ONE_DAY, bundle.description.threshold
    first = ServingThreshold(threshold, anchor_of(bundle), memory_of(bundle), until + ONE_DAY)
    gate = partial(failed_checks, bundle, spec)
    return YoungStation(
        threshold,
        judged(version, spec),
        spec.gate.minimum_calibration_rows,
        days.delivered,
        scored,
        operated(scored.rows, first, until, spec, gate, accept=True),
        operated(scored.rows, first, until, spec, gate, accept=False),
    )


def failed_checks(
    bundle: Bundle,
    spec: DetectorSpec,
    window: WindowRows,
    result: Recalibrated,
    live: ThresholdEstimate,
    accepted: str,
) -> tuple[str, ...]:
    """What a recalibration fails at the gate, as the step of the recalibrate DAG asks it."""
    compared = thresholds_compared(window, result, bundle, spec, live=live, accepted=accepted)
    verdict = decide(compared.facts, compared.champion, spec.gate)
    return tuple(each.name for each in verdict.results if each.verdict == "fail")


def scored_station(bundle: Bundle, telemetry: pd.DataFrame, spec: DetectorSpec) -> StationRows:
    """The rows after the training, day by day as in operation."""
    last = telemetry["timestamp"].iloc[-1].date()
    found = list(scored_days(bundle, telemetry, spec, FIRST + YOUNG, last))
    frame = pd.concat([each.frame for each in found], ignore_index=True)
    timeline, parts = timeline_from(frame, spec.columns), list[IncidentPart]()
    for each in found:
        own = timeline_from(each.frame, spec.columns)
        parts += day_parts(each.judged, own, 1, *largest_gaps(spec))
    names = np.array(found[0].judged.shifts.channels)
    muted: Mask = np.concatenate([each.judged.shifts.muted for each in found])
    blame = np.concatenate([each.judged.found for each in found])
    flagged = np.concatenate([each.judged.flagged for each in found])
    return StationRows(
        OperatedRows(
            timeline,
            np.concatenate([each.judged.score for each in found]),
            np.asarray(muted.any(axis=1)),
            tuple(parts),
        ),
        score_rows(bundle, frame).score,
        ~frame[MARK].to_numpy(dtype=bool),
        {str(name): muted[:, place] for place, name in enumerate(names)},
        np.where(flagged, names[blame.argmax(axis=1)], ""),
    )


def asked_rows(station: YoungStation) -> Mask:
    """The rows of the nine months that are asked about."""
    asked: Mask = station.scored.rows.timeline.time_ns // DAY_NS <= day_number(ASKED_UNTIL)
    return asked


def realised(station: YoungStation, kept: Mask) -> dict[str, float]:
    """Share of the normal among the `kept` rows that are flagged, by the way of operating."""
    rows = kept & station.scored.normal
    return {
        name: float((score > threshold)[rows].mean())
        for name, (score, threshold) in station.thresholds.items()
    }


def summary(station: YoungStation) -> Iterator[str]:
    """What the first version stated, and what came true in nine months."""
    threshold, gate = station.threshold, station.gate
    low, high = threshold.rate_interval
    failed = [f"{each.name} ({each.value})" for each in gate.results if each.verdict == "fail"]
    yield (
        f"gate: {'passed' if gate.passed else 'refused by ' + ', '.join(failed)}; "
        f"{'provisional' if station.provisional else 'confirmed'} with "
        f"{threshold.n_effective:.0f} independent of {threshold.n:,} rows ({station.needed} are "
        f"needed); it states {low:.2%} to {high:.2%}"
    )
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
    low, high = threshold.rate_interval
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
        station = young_station(days, trained(frame, days.spec, Path(scratch) / "first"))
    print(f"Blacksmith Fork, trained on {FIRST} and {YOUNG.days - 1} more days, without labels")
    print("\n".join([*summary(station), "", *monthly(station)]), flush=True)
    print("\nThe same days, trained otherwise:")
    for other in other_trainings(days, FIRST + YOUNG, ASKED_UNTIL):
        print(other.text)


if __name__ == "__main__":
    main()
