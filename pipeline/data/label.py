"""A label: a person's verdict on a span of time, and the verdict on each row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.data.timeline import Timeline, rows_within
from pipeline.errors import DataError

Verdict = Literal["incident", "normal"]
"""What a person may say of rows."""

Withdrawal = Literal["withdrawn"]
"""Takes the newest label `incident` of exactly the same span and machine back."""

WITHDRAWN: Withdrawal = "withdrawn"

NO_VERDICT, INCIDENT, NORMAL = 0, 1, 2
"""The codes that `verdicts` returns for a row."""

_CODES: dict[str, int] = {"incident": INCIDENT, "normal": NORMAL}
_KNOWN = (*get_args(Verdict), *get_args(Withdrawal))


@dataclass(frozen=True)
class Label:
    """A person's verdict on a span of time.

    Attributes:
        start: first moment of the span, with a time zone.
        end: last moment, included.
        entity: the machine; None: all of them.
        verdict: `incident` or `normal`; `withdrawn` takes such a label back.
        note: why, in the author's words.
        author: who labelled it.
        created_at: when; nothing that ran before then knows of it.
        run_id: the Airflow run that carried it; empty from the command line.

    Raises:
        DataError: on construction, if the span, the verdict or the author cannot be right.
    """

    start: datetime
    end: datetime
    entity: str | None
    verdict: Verdict | Withdrawal
    note: str
    author: str
    created_at: datetime
    run_id: str = ""

    def __post_init__(self) -> None:
        for name in ("start", "end", "created_at"):
            require_zone(name, getattr(self, name))
        if self.end < self.start:
            msg = f"end {self.end} lies before start {self.start}; swap them."
            raise DataError(msg)
        if self.end > self.created_at:
            msg = (
                f"end {self.end} lies after {self.created_at}, when the label was made; nobody "
                "can judge rows that are not measured yet. End the span earlier."
            )
            raise DataError(msg)
        if self.verdict not in _KNOWN:
            msg = f"verdict {self.verdict!r} is unknown; write one of {get_args(Verdict)}."
            raise DataError(msg)
        if not self.author.strip():
            msg = "author is empty; a verdict needs a person who answers for it."
            raise DataError(msg)


class Judgement(Protocol):
    """What counts of a label: its span, its verdict and when it was made."""

    @property
    def start(self) -> datetime:
        """First moment of the span."""

    @property
    def end(self) -> datetime:
        """Last moment, included."""

    @property
    def entity(self) -> str | None:
        """The machine; None: all of them."""

    @property
    def verdict(self) -> Verdict | Withdrawal:
        """`incident` or `normal`, or `withdrawn`."""

    @property
    def created_at(self) -> datetime:
        """When it was made."""


AnyJudgement = TypeVar("AnyJudgement", bound=Judgement)


def require_zone(name: str, moment: datetime) -> None:
    """Refuse a time without a zone, which could mean several moments.

    Raises:
        DataError: `moment` has no time zone.
    """
    if moment.utcoffset() is None:
        msg = f"{name} {moment.isoformat()} has no time zone; write {moment.isoformat()}Z for UTC."
        raise DataError(msg)


def verdicts(timeline: Timeline, labels: Sequence[Judgement]) -> NDArray[np.int8]:
    """The latest verdict on each row: NO_VERDICT, INCIDENT or NORMAL, int8 of shape (n,).

    Both ends of a span are included. Rows and labels may come in any order.
    """
    codes = np.full(len(timeline), NO_VERDICT, dtype=np.int8)
    oldest_first = labels_in_force(labels)
    for label, rows in zip(oldest_first, rows_within(timeline, oldest_first), strict=True):
        codes[rows] = _CODES[label.verdict]
    return codes


def labels_in_force(labels: Sequence[AnyJudgement]) -> list[AnyJudgement]:
    """The labels that nobody has taken back, oldest first."""
    kept: list[AnyJudgement] = []
    for label in sorted(labels, key=by_age):
        if label.verdict != WITHDRAWN:
            kept.append(label)
            continue
        meant = [at for at, each in enumerate(kept) if _is_taken_back(each, label)]
        if meant:
            del kept[meant[-1]]
    return kept


def _is_taken_back(label: Judgement, by: Judgement) -> bool:
    same = (label.start, label.end, label.entity) == (by.start, by.end, by.entity)
    return same and label.verdict == "incident"


def by_age(label: Judgement) -> tuple[Any, ...]:
    """Sorts labels oldest first.

    Of those made in one moment `normal` comes before `incident`: the cautious verdict counts.
    """
    return label.created_at, label.verdict == "incident", label.start, label.entity or ""
