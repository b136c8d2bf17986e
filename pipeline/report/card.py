"""The promotion card: one page for the reviewer, as MLflow's Markdown.

What the card of a trained candidate (`training_card`) and that of a recalibrated one
(`recalibration_card`) share. It starts with plain text, because MLflow's list of versions shows the
first characters raw. It has no symbols, as a container has no emoji font.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.replay import Replay
from pipeline.gate import CheckResult, GateVerdict
from pipeline.report.markdown import RULE, Markup, escaped, table

_CHANGED_ROWS = 5
_VERDICTS = {"pass": "PASS", "fail": Markup("**FAIL**"), "skip": "skip"}


@dataclass(frozen=True)
class Link:
    """A page or an image to show: its name and its address."""

    name: str
    url: str


@dataclass(frozen=True)
class CardHead:
    """What a card of any kind begins with.

    Attributes:
        detector: its name.
        made: how the candidate came to be, and on which days.
        gate: the decision.
        remarks: what a reviewer must know before all else, in Markdown.
        links: further pages.
    """

    detector: str
    made: str
    gate: GateVerdict
    remarks: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def build_card(head: CardHead, changes: str, details: Sequence[str]) -> str:
    """The card in Markdown, ready for the description of a model version.

    `changes` are the differences from the champion, and `details` the sections below the gate's;
    an empty one is left out.
    """
    sections = (
        _headline(head),
        f"### What changes\n\n{changes}" if changes else "",
        _gate_table(head.gate),
        *details,
    )
    return RULE.join(section for section in sections if section) + "\n"


def run_note(gate: GateVerdict, links: Sequence[Link], about: str) -> str:
    """The description of a candidate's run: the decision first, then links to its reasons."""
    return "\n\n".join(
        (f"**{_outcome(gate)}.** {escaped(gate.reason)}", _linked(links), about),
    )


def changed_rows(replay: Replay) -> str:
    """The rows whose flag changes most, as a table; empty when none does."""
    if not replay.changed:
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
    header = ("Most changed (UTC)", "Machine", "Score / threshold", "By the champion")
    return "\n\n" + table(header, rows)


def interval_of(estimate: ThresholdEstimate) -> str:
    """The ends of the interval of a threshold."""
    low, high = ("unbounded" if end is None else f"{end:.4g}" for end in estimate.interval)
    return f"{low} to {high}"


def _headline(head: CardHead) -> str:
    champion = head.gate.champion
    against = ", no champion yet" if champion is None else f" against champion {champion}"
    parts = (
        f"{_outcome(head.gate)}{against}: {head.detector}, {head.made}.",
        f"**{escaped(head.gate.reason)}**",
        *head.remarks,
        _linked(head.links),
    )
    return "\n\n".join(part for part in parts if part)


def _gate_table(gate: GateVerdict) -> str:
    """The section with the result of every check; failures come first, with their reasons."""
    header = ("Check", "This version", "Champion", "Limit", "Verdict")
    rows = [(_name(r), r.value, r.champion, r.limit, _VERDICTS[r.verdict]) for r in gate.results]
    failed = [f"- **{_name(r)}**: {escaped(r.reason)}" for r in gate.results if r.verdict == "fail"]
    why = "Why it failed:\n\n" + "\n".join(failed) + "\n\n" if failed else ""
    return "### Gate\n\n" + why + table(header, rows)


def _outcome(gate: GateVerdict) -> str:
    return "Passed" if gate.passed else "Rejected"


def _linked(links: Sequence[Link]) -> str:
    return " | ".join(f"[{link.name}]({link.url})" for link in links)


def _name(result: CheckResult) -> str:
    return result.name.replace("_", " ")
