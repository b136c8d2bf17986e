"""The table of required numbers that a benchmark prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One required number.

    Attributes:
        part: the subject.
        asked: the requirement.
        got: the measurement.
        met: whether the requirement is met; None where there is none.
        note: how to read it; empty when there is nothing to say.
    """

    part: str
    asked: str
    got: str
    met: bool | None
    note: str = ""


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    verdict = {True: "reached", False: "**missed**", None: ""}
    lines = [
        f"| {r.part} | {r.asked} | {r.got} | {verdict[r.met]} | {r.note} |".replace("\n", " ")
        for r in rows
    ]
    head = ["| part | asked | got | | note |", "|---|---|---|---|---|"]
    return "\n".join(["", *head, *lines])
