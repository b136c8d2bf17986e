"""The drift distance of each series, with the limits."""

from __future__ import annotations

from pipeline.config import Drift
from pipeline.drift import DriftVerdict
from pipeline.report.figures.style import (
    INCIDENT,
    INK,
    NORMAL,
    QUIET,
    WARNING,
    grid,
    label,
    look,
    png,
    sheet,
)

_COLOURS = {"none": NORMAL, "warn": WARNING, "alarm": INCIDENT, "no power": "#d3d8de"}
_MEANING = {
    "none": "no drift",
    "warn": "warning",
    "alarm": "alarm",
    "no power": "too few independent rows to judge",
}


def drift_distances(verdict: DriftVerdict, limits: Drift) -> bytes:
    """KS distance of the score and of every feature, with the levels that warn and alarm."""
    results = verdict.results[::-1]
    with look():
        figure = sheet(
            f"Drift verdict: {verdict.kind} (action: {verdict.action})",
            height=2.0 + 0.32 * len(results),
        )
        axes = figure.subplots()
        for level, colour in _COLOURS.items():
            places = [i for i, r in enumerate(results) if r.level == level]
            if places:
                axes.barh(
                    places,
                    [results[i].distance for i in places],
                    color=colour,
                    height=0.7,
                    label=_MEANING[level],
                )
        for place, result in enumerate(results):
            worth = min(result.rows_reference, result.rows_current)
            axes.annotate(
                f"{result.distance:.2f}   q {result.q:.2g}, {worth:,.0f} rows",
                (result.distance, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=10.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )
        for distance, name in ((limits.warn_distance, "warn"), (limits.alarm_distance, "alarm")):
            axes.axvline(
                distance, color=INK if name == "alarm" else QUIET, linestyle="--", linewidth=1.2
            )
            axes.annotate(
                name, (distance, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom"
            )
        axes.set_yticks(range(len(results)), [label(r.feature) for r in results])
        axes.set(
            xlabel="Kolmogorov-Smirnov distance D (effective rows of the smaller side)", xlim=(0, 1)
        )
        axes.set_ylim(-0.6, len(results) - 0.4)
        axes.legend(loc="lower right")
        grid(axes, "x")
        return png(figure)
