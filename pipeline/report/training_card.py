"""The promotion card of a trained candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.data.held_back import HeldBack, held_lines, held_sentence
from pipeline.data.replaced_cells import ReplacedCells, replaced_sentence
from pipeline.data.unscored_days import UnscoredDays
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.drift import DriftVerdict
from pipeline.evaluation.detectability import Detectable
from pipeline.evaluation.metrics import Detection, Evaluation
from pipeline.evaluation.partial_rate import PartialRates, partial_sentence
from pipeline.evaluation.rate import RealisedRate, against_the_promise
from pipeline.evaluation.replay import Replay
from pipeline.gate import GateVerdict
from pipeline.report.card import CardHead, Link, build_card, changed_rows, interval_of
from pipeline.report.fault_section import Grades, fault_section
from pipeline.report.markdown import escaped, table

_EPISODES_SHOWN = 10


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
        partial: rows in none of them, because a channel of each has failed.
        replaced: cells of open shifts in these rows; None: there are none.
        unscored: days that nobody looked at for lasting faults; None: there are none.
    """

    start: str
    end: str
    table: str
    version: int
    train: int
    calibration: int
    test: int
    partial: int = 0
    replaced: ReplacedCells | None = None
    unscored: UnscoredDays | None = None


@dataclass(frozen=True)
class TrainingCard:
    """The content of the card.

    Attributes:
        detector: its name.
        gate: the decision.
        threshold: the estimate.
        evaluation: on the test block.
        partial: rates of partial rows; None: no row can be so.
        drift: the verdict that the gate used.
        trained_on: the rows.
        held: rows of the train and of the calibration block that were held back, by block.
        remarks: on the fit of the network, one sentence each: a collapse, a dead code.
        start: the version that it was fine-tuned from; None for new weights.
        champion_threshold: of the champion that it was compared with; None: with none.
        not_compared: why nothing was compared with the champion; empty: there is no champion,
            or it was.
        replay: candidate and champion over the same recent days; None without a champion.
        faults: share of injected faults that is caught, by kind and size.
        champion_faults: likewise by the champion; empty without one.
        detectable: the smallest fault that is caught, by kind.
        fault_limits: of the kinds that must be caught; None: at their largest size.
        images: shown below the threshold.
        links: further pages.
    """

    detector: str
    gate: GateVerdict
    threshold: ThresholdEstimate
    evaluation: Evaluation
    drift: DriftVerdict
    trained_on: TrainedOn
    held: Mapping[str, HeldBack] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    start: Start | None = None
    champion_threshold: float | None = None
    not_compared: str = ""
    replay: Replay | None = None
    faults: Grades = field(default_factory=dict)
    champion_faults: Grades = field(default_factory=dict)
    detectable: Mapping[str, Detectable] = field(default_factory=dict)
    fault_limits: Mapping[str, float | None] = field(default_factory=dict)
    partial: PartialRates | None = None
    images: tuple[Link, ...] = ()
    links: tuple[Link, ...] = ()


def training_card(card: TrainingCard) -> str:
    """The card in Markdown, ready for the description of a model version."""
    unscored = card.trained_on.unscored
    head = CardHead(
        detector=card.detector,
        made=f"trained on {card.trained_on.start} to {card.trained_on.end}",
        gate=card.gate,
        remarks=(
            _off_the_promise(card.evaluation.rate),
            f"**{unscored.sentence}**" if unscored else "",
            *(f"Of the fit: {escaped(remark)}" for remark in card.remarks),
        ),
        links=card.links,
    )
    partial = () if card.partial is None else (escaped(partial_sentence(card.partial)),)
    pictures = (f"![{image.name}]({image.url})" for image in card.images)
    details = (
        "\n\n".join((_threshold(card.threshold, card.evaluation), *partial, *pictures)),
        _held(card.held),
        _evaluation(card.evaluation),
        fault_section(card.faults, card.champion_faults, card.detectable, card.fault_limits),
        _data(card),
    )
    return build_card(head, _changes(card), details)


def _off_the_promise(rate: RealisedRate | None) -> str:
    """Where the realised rate leaves its band, on either side; else empty."""
    if rate is None or rate.verdict == "inside":
        return ""
    return f"**{against_the_promise(rate)}**"


def _held(blocks: Mapping[str, HeldBack]) -> str:
    """The section on rows that were held back; empty where none were."""
    held = {block: each for block, each in blocks.items() if each.rows}
    if not held:
        return ""
    parts = (
        f"{held_sentence(each, block)}\n\n"
        + "\n".join(f"- {escaped(line)}" for line in held_lines(each, _EPISODES_SHOWN))
        for block, each in held.items()
    )
    return "### Held back: look at them\n\n" + "\n\n".join(parts)


def _changes(card: TrainingCard) -> str:
    lines = "\n".join(f"- {line}" for line in _differences(card))
    return lines + (changed_rows(card.replay) if card.replay else "")


def _differences(card: TrainingCard) -> Iterator[str]:
    """The differences from the champion, one phrase each; none where nothing was compared."""
    if card.start is not None:
        yield _fine_tuned(card.start)
    if card.champion_threshold is not None:
        new, old = card.threshold.value, card.champion_threshold
        yield f"threshold {new:.4g} instead of {old:.4g}, on scores of another network"
    elif card.not_compared:
        yield card.not_compared
    if card.replay is not None:
        replay = card.replay
        yield (
            f"over the same {replay.days} days: {replay.alerts_per_day:.2f} alerts a day instead "
            f"of {replay.champion_alerts_per_day:.2f}; {replay.gained:,} rows newly flagged, "
            f"{replay.lost:,} no longer"
        )


def _fine_tuned(start: Start) -> str:
    """The origin of the weights, and the rows of the fine-tuning."""
    text = (
        f"**fine-tuned from version {start.version}** on {start.recent_rows:,} normal rows of the "
        f"newest {start.recent_days} train days, beside {start.replay_days} older days since "
        f"{start.since}"
    )
    return text + (
        f"; {start.suspects:,} rows that version {start.version} flags and nobody has judged were "
        "left out"
        if start.suspects
        else ""
    )


def _threshold(threshold: ThresholdEstimate, evaluation: Evaluation) -> str:
    text = (
        f"### Threshold\n\n**{threshold.value:.4g}** (95% interval {interval_of(threshold)}, "
        f"{threshold.method}), estimated so that at most {threshold.alpha:.2%} of "
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


def _data(card: TrainingCard) -> str:
    rows = card.trained_on
    without = f" {escaped(replaced_sentence(rows.replaced))}" if rows.replaced else ""
    if rows.partial:
        without += f" {rows.partial:,} rows are left out because a sensor of each had failed."
    return (
        f"### Data\n\n{rows.start} to {rows.end}, table `{rows.table}` version {rows.version}: "
        f"{rows.train:,} rows to train, {rows.calibration:,} to estimate the threshold, "
        f"{rows.test:,} to test.{without} Drift: **{card.drift.kind}**. "
        f"{escaped(card.drift.reason)}"
    )
