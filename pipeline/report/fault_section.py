"""The section of a card on injected faults: the smallest that is caught, by kind."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.evaluation.detectability import Detectable
from pipeline.evaluation.faults import FAULTS
from pipeline.gate.facts import NOT_PLANTED
from pipeline.report.markdown import table

Grades = Mapping[str, Mapping[float, float]]
"""Share of episodes caught, 0 to 1, by kind and size (`evaluation.injection.recall`)."""


def fault_section(
    grades: Grades,
    champion: Grades,
    found: Mapping[str, Detectable],
    limits: Mapping[str, float | None],
) -> str:
    """The section in Markdown; where no fault could be planted it says so.

    `champion` is the live version on the same episodes; empty without one.
    `limits` are those of the required kinds.
    """
    if not grades:
        return f"### Injected faults\n\n**Not judged.** {NOT_PLANTED}"
    rows = [
        (
            kind,
            _smallest(kind, found.get(kind)),
            _limit(kind, limits),
            _caught(kind, by_size),
            _caught(kind, champion.get(kind, {})),
        )
        for kind, by_size in grades.items()
    ]
    header = ("Fault", "Smallest caught (95%)", "Limit", "This version", "Champion")
    return (
        "### Injected faults\n\nThe smallest size that counts as caught, with the range that the "
        "episodes leave open, and the share that is caught over all channels, from the smallest "
        "size to the largest.\n\n" + table(header, rows)
    )


def _smallest(kind: str, found: Detectable | None) -> str:
    if found is None or not FAULTS[kind].unit:
        return "-"
    smallest, low, high = (
        "none" if size is None else f"{size:g}" for size in (found.smallest, found.low, found.high)
    )
    return f"{smallest} ({low} to {high})"


def _limit(kind: str, limits: Mapping[str, float | None]) -> str:
    if kind not in limits:
        return "-"
    limit = limits[kind]
    return "largest" if limit is None else f"{limit:g}"


def _caught(kind: str, by_size: Mapping[float, float]) -> str:
    unit = FAULTS[kind].unit
    if not unit:
        return ", ".join(f"{share:.0%}" for share in by_size.values()) or "-"
    shares = ", ".join(f"{size:g}: {share:.0%}" for size, share in by_size.items())
    return f"{shares} ({unit})" if shares else "-"
