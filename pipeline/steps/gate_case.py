"""What the gate learns of a candidate, whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.gate import GateVerdict
from pipeline.report.card import Link


@dataclass(frozen=True)
class GateCase:
    """A candidate that has been judged and not been registered yet.

    Attributes:
        verdict: of the checks.
        reason: for the ledger: the verdict's, and what a person has to know beside it.
        champion: the version that is live; None: none is.
        card: the promotion card, Markdown.
        card_name: what the link to it is called.
        links: further pages, for the description of the run.
        about: the candidate in one paragraph.
        window: first and last day of its rows.
        telemetry_version: of the table that they were read from; None: unknown.
        realised_rate: share of flagged normal test rows; None: not measured.
        tags: what its version is tagged with beside what all have.
    """

    verdict: GateVerdict
    reason: str
    champion: int | None
    card: str
    card_name: str
    links: tuple[Link, ...]
    about: str
    window: tuple[date, date]
    telemetry_version: int | None
    realised_rate: float | None
    tags: dict[str, str]
