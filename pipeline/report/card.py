"""The promotion card: one page for the reviewer, as MLflow's Markdown.

It starts with plain text, because MLflow's list of versions shows the first characters raw. It has
no symbols, as a container has no emoji font.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftVerdict
from pipeline.evaluation.metrics import Detection, Evaluation
from pipeline.evaluation.replay import Replay
from pipeline.gate import CheckResult, GateVerdict
from pipeline.report.fault_table import Grades, fault_section
from pipeline.report.markdown import RULE, Markup, escaped, table

_CHANGED_ROWS = 5
_VERDICTS = {"pass": "PASS", "fail": Markup("**FAIL**"), "skip": "skip"}


@dataclass(frozen=True)
class TrainedOn:
    """The rows behind a candidate.

    Attributes:
        start: first UTC day, ISO 8601.
        end: last UTC day.
        table: name of the table they were read from.
        version: the table's version, which housekeeping keeps.
        train: rows of the train block.
        calibration: rows that the threshold was estimated from.
        test: rows of the test block.
    """

    start: str
    end: str
    table: str
    version: int
    train: int
    calibration: int
    test: int


@dataclass(frozen=True)
class Link:
    """A page or an image to show: its name and its address."""

    name: str
    url: str


@dataclass(frozen=True)
class Card:
    """The content of the card.

    Attributes:
        detector: its name.
        gate: the decision.
        threshold: the estimate.
        evaluation: on the test block.
        drift: the verdict that the gate used.
        trained_on: the rows.
        remarks: on the fit of the network, one sentence each: a collapse, a dead code.
        changes: differences from the champion, one phrase each; empty: nothing was compared.
        replay: candidate and champion over the same recent days; None without a champion.
        faults: share of injected faults that is caught, by kind and size.
        champion_faults: likewise by the champion; empty without one.
        images: shown below the threshold.
        links: further pages.
        next_step: the reviewer's next step, in Markdown; empty: none.
    """

    detector: str
    gate: GateVerdict
    threshold: ThresholdEstimate
    evaluation: Evaluation
    drift: DriftVerdict
    trained_on: TrainedOn
    remarks: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    replay: Replay | None = None
    faults: Grades = field(default_factory=dict)
    champion_faults: Grades = field(default_factory=dict)
    images: tuple[Link, ...] = ()
    links: tuple[Link, ...] = ()
    next_step: str = ""


def promotion_card(card: Card) -> str:
    """The card in Markdown, ready for the description of a model version."""
    sections = (
        _headline(card),
        _changes(card),
        gate_table(card.gate),
        "\n\n".join(
            (
                _threshold(card.threshold, card.evaluation),
                *(f"![{image.name}]({image.url})" for image in card.images),
            )
        ),
        _evaluation(card.evaluation),
        fault_section(card.faults, card.champion_faults),
        _data(card),
    )
    return RULE.join(section for section in sections if section) + "\n"


def _headline(card: Card) -> str:
    outcome = "Passed" if card.gate.passed else "Rejected"
    champion = card.gate.champion
    against = ", no champion yet" if champion is None else f" against champion {champion}"
    days = f"{card.trained_on.start} to {card.trained_on.end}"
    parts = (
        f"{outcome}{against}: {card.detector}, trained on {days}.",
        f"**{escaped(card.gate.reason)}**",
        *(f"Of the fit: {escaped(remark)}" for remark in card.remarks),
        card.next_step,
        " | ".join(f"[{link.name}]({link.url})" for link in card.links),
    )
    return "\n\n".join(part for part in parts if part)


def _changes(card: Card) -> str:
    lines = list(card.changes)
    if card.replay is not None:
        replay = card.replay
        lines.append(
            f"over the same {replay.days} days: {replay.alerts_per_day:.2f} alerts a day instead "
            f"of {replay.champion_alerts_per_day:.2f}; {replay.gained:,} rows newly flagged, "
            f"{replay.lost:,} no longer"
        )
    if not lines:
        return ""
    listed = "\n".join(f"- {line}" for line in lines)
    return f"### What changes\n\n{listed}" + changed_rows(card.replay)


def changed_rows(replay: Replay | None) -> str:
    """The rows whose flag changes most, as a table; empty when none does."""
    if replay is None or not replay.changed:
        return ""
    rows = [
        (
            row.time[:16].replace("T", " "),
            row.entity or "-",
            f"{row.candidate:.2f}",
            f"{row.champion:.2f}",
        )
        for row in replay.changed[:_CHANGED_ROWS]
    ]
    header = ("Most changed (UTC)", "Entity", "Score / threshold", "By the champion")
    return "\n\n" + table(header, rows)


def gate_table(gate: GateVerdict) -> str:
    """The section with the result of every check; failures come first, with their reasons."""
    header = ("Check", "This version", "Champion", "Limit", "Verdict")
    rows = [(_name(r), r.value, r.champion, r.limit, _VERDICTS[r.verdict]) for r in gate.results]
    failed = [f"- **{_name(r)}**: {escaped(r.reason)}" for r in gate.results if r.verdict == "fail"]
    why = "Why it failed:\n\n" + "\n".join(failed) + "\n\n" if failed else ""
    return "### Gate\n\n" + why + table(header, rows)


def _name(result: CheckResult) -> str:
    return result.name.replace("_", " ")


def _threshold(threshold: ThresholdEstimate, evaluation: Evaluation) -> str:
    low, high = threshold.interval
    text = (
        f"### Threshold\n\n**{threshold.value:.4g}** (95% interval {_bound(low)} to "
        f"{_bound(high)}, {threshold.method}), estimated so that at most {threshold.alpha:.2%} of "
        "normal rows are above it. "
    ) + (
        threshold.note
        or f"Estimated from {threshold.n:,} calibration rows worth {threshold.n_effective:,.0f} "
        "independent ones."
    )
    rate = evaluation.rate
    if rate is not None:
        text += (
            f" On the test block {rate.rate:.2%} of {rate.rows:,} normal rows are above it "
            f"(95% interval {rate.interval[0]:.2%} to {rate.interval[1]:.2%}); the promise allows "
            f"{rate.band[0]:.2%} to {rate.band[1]:.2%}: **{rate.verdict}**."
        )
    if threshold.low_confidence:
        text += " **Low confidence: estimated from too few rows.**"
    return text


def _bound(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"


def _evaluation(evaluation: Evaluation) -> str:
    rows = [
        ("test rows", f"{evaluation.rows:,} on {evaluation.days} days"),
        ("flags a day", f"{evaluation.flags_per_day:.1f}"),
        ("alerts a day", f"{evaluation.alerts_per_day:.2f}"),
        *_detection(evaluation.detection),
    ]
    return "### Test block\n\n" + table(("Measure", "Value"), rows)


def _detection(detection: Detection | None) -> Iterator[tuple[str, str]]:
    if detection is None:
        yield "known incidents", "none in these rows: faults were injected instead"
        return
    yield "incidents hit", f"{detection.hit} of {len(detection.incidents)}"
    for name, value in (
        ("ROC-AUC", detection.roc_auc),
        ("average precision", detection.average_precision),
        ("precision at the threshold", detection.precision),
        ("recall at the threshold", detection.recall),
    ):
        yield name, "-" if value is None else f"{value:.3f}"


def _data(card: Card) -> str:
    rows = card.trained_on
    return (
        f"### Data\n\n{rows.start} to {rows.end}, table `{rows.table}` version {rows.version}: "
        f"{rows.train:,} rows to train, {rows.calibration:,} to estimate the threshold, "
        f"{rows.test:,} to test. Drift: **{card.drift.kind}**. {escaped(card.drift.reason)}"
    )
