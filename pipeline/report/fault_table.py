"""Injected faults on the promotion card: the share that is caught, by kind and size."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.evaluation.faults import FAULTS
from pipeline.gate.facts import NOT_PLANTED
from pipeline.report.markdown import table

Grades = Mapping[str, Mapping[float, float]]
"""Share of episodes caught, 0 to 1, by kind and size (`evaluation.injection.recall`)."""


def fault_section(grades: Grades, champion: Grades) -> str:
    """The section in Markdown; where no fault could be planted it says so.

    `champion` is the live version on the same episodes; empty without one.
    """
    if not grades:
        return f"### Injected faults\n\n**Not judged.** {NOT_PLANTED}"
    rows = [
        (kind, _caught(kind, by_size), _caught(kind, champion.get(kind, {})))
        for kind, by_size in grades.items()
    ]
    return (
        "### Injected faults\n\nShare of planted faults that is caught, over all channels, from "
        "the smallest size to the largest.\n\n" + table(("Fault", "This version", "Champion"), rows)
    )


def _caught(kind: str, by_size: Mapping[float, float]) -> str:
    unit = FAULTS[kind].unit
    if not unit:
        return ", ".join(f"{share:.0%}" for share in by_size.values()) or "-"
    shares = ", ".join(f"{size:g}: {share:.0%}" for size, share in by_size.items())
    return f"{shares} ({unit})" if shares else "-"
