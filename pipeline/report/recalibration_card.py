"""The promotion card of a recalibration: how far the threshold moves, why, and what to label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.replay import Replay
from pipeline.gate import GateVerdict
from pipeline.recalibration import Recalibrated
from pipeline.report.card import CardHead, Link, build_card, changed_rows, interval_of
from pipeline.report.markdown import escaped, table

_HELD_SHOWN = 10
_MEANING = {
    "confirmed": "labelled normal; counted",
    "presumed": "below the live threshold; counted",
    "suspect": "above it, unlabelled; counted as far as audits justify",
    "incident": "labelled so; left out",
    "held": "part of a longer episode than normal rows make; left out until labelled",
    "excluded": "muted, or during a shift; left out",
}


@dataclass(frozen=True)
class HeldEpisode:
    """An episode left out of the recalibration until a person has labelled it.

    Attributes:
        entity: the machine; empty where there is only one.
        start: first row, UTC.
        end: last row.
        rows: rows above the threshold.
        features: channels to blame, worst first, as in the incident; empty: unknown.
    """

    entity: str
    start: datetime
    end: datetime
    rows: int
    features: tuple[str, ...]


@dataclass(frozen=True)
class RecalibrationCard:
    """The content of the card.

    Attributes:
        detector: its name.
        gate: the decision.
        result: the recalibration.
        old: the live threshold.
        first_day: first day of the window.
        last_day: last day.
        replay: both thresholds over the window.
        labels: labels that were known.
        accepted: the person who accepted crossed bounds, and the reason; empty: nobody.
        growth_accepted: who has called the growth so far normal, and the reason; empty: nobody.
        held: the episodes that were held back, longest first.
        picture: the figure of the window with both thresholds.
        links: further pages.
    """

    detector: str
    gate: GateVerdict
    result: Recalibrated
    old: ThresholdEstimate
    first_day: date
    last_day: date
    replay: Replay
    labels: int
    accepted: str
    growth_accepted: str
    held: tuple[HeldEpisode, ...]
    picture: Link
    links: tuple[Link, ...]


def recalibration_card(card: RecalibrationCard) -> str:
    """The card in Markdown, ready for the description of a model version."""
    head = CardHead(
        detector=card.detector,
        made=f"recalibrated on {card.first_day} to {card.last_day}",
        gate=card.gate,
        remarks=(
            f"Beyond the bounds, accepted by {escaped(card.accepted)}." if card.accepted else "",
            _growth(card.growth_accepted),
            f"**Stale:** {escaped(card.result.stale)}" if card.result.stale else "",
            f"**Raised:** {escaped(card.result.raised)}" if card.result.raised else "",
        ),
        links=card.links,
    )
    window = f"### The window\n\n![{card.picture.name}]({card.picture.url})\n\n{_statuses(card)}"
    return build_card(head, _changes(card), (window, _held(card.held)))


def _growth(accepted: str) -> str:
    if not accepted:
        return ""
    return (
        f"Growth so far is normal, says {escaped(accepted)}: later growth is measured from this "
        "threshold on."
    )


def _changes(card: RecalibrationCard) -> str:
    new, result, replay = card.result.threshold, card.result, card.replay
    rows = [
        ("threshold", f"{card.old.value:.4g}", f"{new.value:.4g}"),
        ("95% interval", interval_of(card.old), interval_of(new)),
        ("rows behind it", f"{card.old.n:,}", f"{new.n:,}"),
        ("worth independent", f"{card.old.n_effective:,.0f}", f"{new.n_effective:,.0f}"),
        (
            "alerts a day, same window",
            f"{replay.champion_alerts_per_day:.2f}",
            f"{replay.alerts_per_day:.2f}",
        ),
    ]
    anchor = result.anchor
    text = (
        f"A step of **{result.step:+.1%}**{_meaning_of_step(card)}; **{result.total:+.1%}** from "
        f"the threshold of {anchor.day}, from which moves are counted; ordinary scores move "
        f"{result.growth:+.1%} a month. {replay.gained:,} rows of the window are newly flagged, "
        f"{replay.lost:,} no longer."
    )
    return f"{text}\n\n" + table(("Threshold", "Live", "Recalibrated"), rows) + changed_rows(replay)


def _meaning_of_step(card: RecalibrationCard) -> str:
    """A remark if the new threshold lies within the interval of the live one; else empty."""
    low, high = card.old.interval
    inside = (low is None or card.result.threshold.value >= low) and (
        high is None or card.result.threshold.value <= high
    )
    return (
        ", within the interval of the live threshold: chance alone may explain it" if inside else ""
    )


def _statuses(card: RecalibrationCard) -> str:
    rows = [
        (name, f"{count:,}", _MEANING.get(name, "")) for name, count in card.result.counts.items()
    ]
    text = (
        f"{card.result.days} days, {card.labels} labels known by then. Clusters of flags longer "
        f"than {card.result.longest_normal} row(s) are held back: normal rows make none."
    )
    return f"{text}\n\n" + table(("Rows", "How many", "Meaning"), rows)


def _held(held: tuple[HeldEpisode, ...]) -> str:
    if not held:
        return ""
    rows = [_episode(episode) for episode in held[:_HELD_SHOWN]]
    more = len(held) - len(rows)
    rest = f"\n\n{more} more are in `recalibration/held.json` of the run." if more > 0 else ""
    return (
        "### Held back: please label\n\n"
        "In the form of the label DAG, or on the command line (`label`); the next recalibration "
        "counts the answer.\n\n"
        + table(("From (UTC)", "To", "Machine", "Rows", "To blame"), rows)
        + rest
    )


def _episode(episode: HeldEpisode) -> tuple[str, ...]:
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (episode.start, episode.end))
    blamed = ", ".join(episode.features) or "-"
    return start, end, episode.entity or "-", f"{episode.rows:,}", blamed
