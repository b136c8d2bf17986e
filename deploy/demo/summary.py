"""The results of the demo, as one table for the terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date

from deploy.demo.review import LookBack
from pipeline.data.missing_channels import missing_text
from pipeline.gate import GateVerdict
from pipeline.settings import Deployment
from pipeline.store.ingestions import counting_attempts, missing_of

_LABEL = 38

Row = tuple[str, str]


def table(rows: Iterator[Row]) -> str:
    """Label and value, aligned; a label without a value opens a section."""
    lines = []
    for label, value in rows:
        text = f"  {label:<{_LABEL}}{value}" if value else f"\n{label}"
        lines.append(text.rstrip())
    return "\n".join(lines)


def ingested(here: Deployment, detector: str) -> Iterator[Row]:
    """Accepted rows, rejected rows by rule, and the days by state."""
    attempts = counting_attempts(here, detector, ["accepted", "rules"])
    latest = attempts.drop_duplicates("date", keep="last")
    yield "Ingested", ""
    states = Counter(latest["standing"])
    yield "days", ", ".join(f"{count} {state}" for state, count in states.items())
    yield "rows accepted", f"{int(latest['accepted'].sum()):,}"
    rejected: Counter[str] = Counter()
    for rules in latest["rules"].dropna():
        rejected.update(json.loads(rules))
    yield "rows in quarantine", f"{sum(rejected.values()):,}"
    for rule, count in rejected.most_common():
        yield f"  {rule}", f"{count:,}"


def missing_on(here: Deployment, detector: str, day: date) -> str:
    """The channels that the accepted rows of `day` lack, in words."""
    latest = counting_attempts(here, detector, ["missing"], first=day, last=day).iloc[-1]
    return missing_text(missing_of(latest["missing"]))


def judged(verdict: GateVerdict, later: LookBack) -> Iterator[Row]:
    """The candidate: its threshold, the gate's checks, and its results on unseen days."""
    threshold = later.threshold
    low, high = threshold.interval
    yield "Candidate", ""
    yield "threshold", f"{threshold.value:.4g} (95 % interval {_bound(low)} to {_bound(high)})"
    yield (
        "estimated from",
        f"{threshold.n:,} held-out rows, worth {threshold.n_effective:,.0f} independent",
    )
    yield "Gate", ""
    for result in verdict.results:
        label = result.name.replace("_", " ")
        yield label, f"{result.verdict.upper():<5} {result.value} ({result.limit})"
    yield "On unseen days", ""
    yield from _later(later)


def _later(later: LookBack) -> Iterator[Row]:
    evaluation = later.evaluation
    yield "days", f"{evaluation.days} ({evaluation.start[:10]} to {evaluation.end[:10]})"
    if evaluation.rate is not None:
        rate = evaluation.rate
        yield "false-alarm rate", f"{rate.rate:.2%} of {rate.rows:,} normal rows (promised: 1 %)"
    found = evaluation.detection
    if found is not None:
        yield "outages hit", f"{found.hit} of {len(found.incidents)}"
        if found.average_precision is not None:
            yield "average precision", f"{found.average_precision:.2f}"


def _bound(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"
