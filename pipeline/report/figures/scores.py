"""Scores against the threshold: distribution, precision and recall, and course over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from pipeline.data.timeline import episodes
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.evaluation.metrics import EvaluatedRows
from pipeline.report.figures.style import (
    INCIDENT,
    INK,
    MOST,
    NORMAL,
    QUIET,
    course_sheet,
    date_axis,
    grid,
    look,
    png,
    shade,
    sheet,
)

_BINS = 80


def score_distribution(rows: EvaluatedRows, threshold: ThresholdEstimate) -> bytes:
    """Histogram of normal and incident scores, with the threshold and its 95 % interval."""
    kinds = [("normal rows", rows.score[rows.normal], NORMAL)]
    if rows.incident is not None and rows.incident.any():
        kinds.append(("incident rows", rows.score[rows.incident], INCIDENT))
    kinds = [kind for kind in kinds if len(kind[1])]
    above = " and ".join(
        f"{(score > threshold.value).mean():.1%} of {name}" for name, score, _ in kinds
    )
    with look():
        figure = sheet(f"{above or 'No rows'} lie above the threshold")
        axes = figure.subplots()
        bins = _log_bins([score for _, score, _ in kinds], threshold.value)
        for name, score, colour in kinds:
            score = np.clip(score, bins[0], None)  # noqa: PLW2901 - a score of 0 has no logarithm
            share = np.full(len(score), 100 / len(score))
            label = f"{name} ({len(score):,})"
            axes.hist(score, bins, weights=share, color=colour, alpha=0.45, label=label)
            axes.hist(score, bins, weights=share, color=colour, histtype="step", linewidth=1.6)
        axes.margins(y=0.16)  # room for the threshold's name above the bars
        _plot_threshold(axes, threshold)
        axes.set(xscale="log", xlabel="score (log scale)", ylabel="% of the rows of a kind")
        axes.legend(loc="upper left")
        grid(axes)
        return png(figure)


def precision_recall(rows: EvaluatedRows, threshold: ThresholdEstimate) -> bytes | None:
    """Precision against recall for every possible threshold; None without incidents."""
    if rows.incident is None or not rows.incident.any() or not rows.normal.any():
        return None
    known = rows.normal | rows.incident
    score, incident = rows.score[known], rows.incident[known]
    precision, recall, _ = precision_recall_curve(incident, score)
    flagged = score > threshold.value
    here = (float(flagged[incident].mean()), _share(incident[flagged]))
    title = (
        f"At the threshold: {here[0]:.0%} of incident rows flagged, {here[1]:.0%} of flags right"
    )
    with look():
        figure = sheet(title, height=5.6)
        axes = figure.subplots()
        axes.step(recall, precision, where="post", color=NORMAL, linewidth=2.2)
        axes.fill_between(recall, precision, step="post", color=NORMAL, alpha=0.12)
        axes.axhline(incident.mean(), color=QUIET, linestyle=":", linewidth=1.5)
        axes.annotate(
            f"guessing ({incident.mean():.1%} of rows are incidents)",
            (0.01, incident.mean()),
            xytext=(0, 5),
            textcoords="offset points",
            color=INK,
        )
        axes.plot(*here, "o", markersize=12, color=INCIDENT, label="at the threshold", zorder=5)
        axes.set(
            xlabel="recall: share of incident rows that are flagged",
            ylabel="precision: share of flags that are right",
            xlim=(0, 1.01),
            ylim=(0, 1.03),
        )
        axes.legend(loc="upper right")
        grid(axes)
        return png(figure)


def score_timeline(rows: EvaluatedRows, threshold: ThresholdEstimate) -> bytes:
    """Score over threshold by time, one panel per entity; incidents shaded, flags coloured."""
    timeline, excess = rows.timeline, rows.score / threshold.value
    shown = timeline.names[:MOST]
    flagged = rows.score > threshold.value
    title = f"{int(flagged.sum()):,} of {len(flagged):,} rows on {timeline.days} days are flagged"
    if len(shown) < len(timeline.names):
        title += f" (first {MOST} of {len(timeline.names)} entities)"
    with look():
        figure, panels = course_sheet(title, shown, frame=1.5)
        for code, axes in enumerate(panels):
            own = timeline.entity == code
            _plot_course(axes, timeline.time_ns[own], excess[own])
        known = () if rows.incident is None else episodes(rows.incident, timeline)
        shade(panels, shown, known)
        date_axis(panels[-1], "time, UTC (shaded: known incidents)")
        figure.supylabel("score / threshold (log scale)", fontsize=12.5)
        return png(figure)


def _plot_course(axes: Axes, time_ns: NDArray[np.int64], excess: NDArray[np.floating]) -> None:
    time = pd.DatetimeIndex(time_ns, tz="UTC")
    over = excess > 1
    axes.plot(time[~over], excess[~over], ".", color=NORMAL, markersize=2.5, alpha=0.5)
    axes.plot(time[over], excess[over], ".", color=INCIDENT, markersize=5)
    axes.axhline(1.0, color=INK, linewidth=1.2)
    axes.set_yscale("log")
    grid(axes, "x")


def _plot_threshold(axes: Axes, threshold: ThresholdEstimate) -> None:
    low, high = threshold.interval
    axes.axvline(threshold.value, color=INK, linewidth=2)
    axes.axvspan(
        low if low is not None else threshold.value,
        high if high is not None else axes.get_xlim()[1],
        color=INK,
        alpha=0.12,
        linewidth=0,
        label="95% interval of the threshold",
    )
    axes.annotate(
        f"threshold {threshold.value:.3g} ",
        (threshold.value, 0.97),
        xycoords=("data", "axes fraction"),
        ha="right",
        va="top",
        fontweight="bold",
    )


def _log_bins(scores: list[NDArray[np.floating]], threshold: float) -> list[float]:
    joined = np.concatenate([*scores, [threshold]])
    positive = joined[joined > 0] if (joined > 0).any() else np.ones(1)
    low, high = np.log10(positive.min()), np.log10(positive.max())
    return [float(edge) for edge in np.logspace(low - 0.02, high + 0.02, _BINS)]


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0
