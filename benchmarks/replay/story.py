"""The work of the DAGs in two years, by the same functions and without a scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from benchmarks.replay import reviewer
from pipeline import settings, tables
from pipeline.config import DetectorSpec
from pipeline.data.grid import days_between
from pipeline.steps import (
    drifting,
    evaluating,
    fitting,
    gating,
    ingestion,
    recalibrating,
)
from pipeline.steps.candidate import detector_named
from pipeline.steps.promotion import promote
from pipeline.steps.scoring import score_days
from pipeline.steps.waiting_labels import flagged_episodes
from pipeline.store.incidents import incidents_between
from pipeline.store.labels import add_labels
from pipeline.tables import Table
from pipeline.utc_day import midnight

DETECTOR = "la_haute_borne"
FIRST, LAST = date(2014, 1, 1), date(2015, 12, 31)
TRAINED_AS_OF = date(2014, 4, 1)
RUN = "replay"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Month:
    """The outcome of the recalibration at the begin of a month.

    Attributes:
        first: first day that is scored.
        last: last day.
        outcome: `trained`, `moved`, `stopped` or `kept` (no new rows).
        reason: one sentence.
    """

    first: date
    last: date
    outcome: str
    reason: str


def load(spec: DetectorSpec, say: Say) -> None:
    """Both years into the tables, as the first load by one run does."""
    days = [day.isoformat() for day in days_between(FIRST, LAST)]
    staged = ingestion.validate(
        settings.load(), ingestion.fetch(settings.load(), spec.name, days, run=RUN), run=RUN
    )
    written = ingestion.write(settings.load(), staged, run=RUN, refuse=False)
    say(f"ingested {written['days']} days, {written['accepted']:,} rows: {written['verdicts']}")


def train(say: Say) -> str:
    """A first champion; the gate's sentence.

    Raises:
        RuntimeError: the gate refused it.
    """
    candidate = fitting.window(settings.load(), DETECTOR, TRAINED_AS_OF.isoformat())
    candidate = fitting.calibrate(
        settings.load(), fitting.train(settings.load(), candidate, run=RUN)
    )
    judged = gating.gate(
        settings.load(),
        evaluating.drift(settings.load(), evaluating.evaluate(settings.load(), candidate)),
        run=RUN,
    )
    outcome = promote(settings.load(), judged, answer=None, run=RUN)
    if not outcome["promoted"]:
        message = f"the first candidate did not go live: {outcome['reason']}"
        raise RuntimeError(message)
    say(f"trained as of {TRAINED_AS_OF}: {outcome['reason']}")
    return str(outcome["reason"])


def live_through(spec: DetectorSpec, frame: pd.DataFrame, say: Say) -> list[Month]:
    """Month by month: label what is a week old, recalibrate, score, measure drift.

    `frame` is all telemetry: the reviewer's eyes, a week late.
    """
    outages = list(reviewer.outage_labels(frame, spec.columns))
    done: list[Month] = []
    for first, last in months(TRAINED_AS_OF, LAST):
        if done:
            _label(spec, frame, outages, as_of=first)
            month = Month(first, last, *_recalibrate(first))
        else:
            month = Month(first, last, "trained", "the threshold of the training")
        days = [day.isoformat() for day in days_between(first, last)]
        score_days(settings.load(), spec.name, days, run=RUN)
        drifting.judge_days(settings.load(), spec.name, days, run=RUN)
        say(f"{first:%Y-%m} {month.outcome:<8} {month.reason}")
        done.append(month)
    return done


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """First and last day of each calendar month of the span."""
    while first <= last:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(last, following - timedelta(days=1))
        first = following


def _label(spec: DetectorSpec, frame: pd.DataFrame, outages: list[Any], *, as_of: date) -> None:
    """Write the reviewer's labels before `as_of`; those on record are not written twice."""
    here = settings.load()
    before = as_of - timedelta(days=1)
    raised = flagged_episodes(here, spec, as_of - timedelta(days=62), before)
    verdicts = [*outages, *reviewer.answers(raised, frame, spec.columns)]
    add_labels(here, spec.name, reviewer.known_by(verdicts, midnight(as_of)))


def _recalibrate(as_of: date) -> tuple[str, str]:
    """Run the chain of the recalibrate DAG; returns its outcome and the reason."""
    recalibrating.audit(settings.load(), DETECTOR, as_of.isoformat(), run=RUN)
    candidate = recalibrating.window(settings.load(), DETECTOR, as_of.isoformat())
    if isinstance(candidate, recalibrating.NotDue):
        return "kept", candidate.reason
    judged = gating.gate(
        settings.load(), recalibrating.recalibrate(settings.load(), candidate, run=RUN), run=RUN
    )
    outcome = promote(settings.load(), judged, answer=None, run=RUN)
    return ("moved" if outcome["promoted"] else "stopped"), outcome["reason"]


def telemetry(spec: DetectorSpec) -> pd.DataFrame:
    """All rows of the table, evaluation columns included."""
    return tables.read(Table(settings.load().storage, spec.name, "telemetry"))


def raised(spec: DetectorSpec) -> Counter[str]:
    """Incidents by kind."""
    found = incidents_between(settings.load(), spec, TRAINED_AS_OF, LAST)
    return Counter(each.kind for each in found if each.status == "raised")


def drift_verdicts(spec: DetectorSpec) -> Counter[str]:
    """Verdicts on the rolling weeks, one a day."""
    judged = tables.read(Table(settings.load().storage, spec.name, "drift"), keep_date=True)
    weeks = judged[judged["source"] == "week"].drop_duplicates("date")
    return Counter(weeks["verdict"])


def detector() -> DetectorSpec:
    """The shipped detector file."""
    return detector_named(settings.load(), DETECTOR)
