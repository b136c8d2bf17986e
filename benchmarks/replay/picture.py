"""The replay as one figure: monthly false alarms of each policy, Plimsoll's threshold, outages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from benchmarks.replay.replaying import ReplayedPolicy
from benchmarks.replay.tally import Tally
from pipeline.report.figures.style import (
    GOOD,
    INCIDENT,
    INK,
    NORMAL,
    QUIET,
    SHADE,
    grid,
    look,
    png,
    sheet,
)

_COLUMNS = 4
_HEIGHT, _WIDTH = 9.6, 13.0
_LOWEST = 0.05  # % of rows; a month without false alarms is plotted here
_RATES = (_LOWEST, 40.0)
_PROMISED = 1.0
_TICKS = (0.1, 1, 10)


def figure(replayed: ReplayedPolicy) -> bytes:
    """PNG. Small multiples share their axes, so that heights can be compared."""
    ours = replayed.tallies[0]
    with look():
        canvas = sheet(
            f"Two real years: {ours.policy} {ours.rate:.1%} false alarms, worst month "
            f"{ours.worst.rate:.1%}, {ours.hit} of {ours.outages} outages hit",
            height=_HEIGHT,
            width=_WIDTH,
        )
        # One panel a policy in rows of four, the last place for the outages; below, the threshold.
        rows = -(-(len(replayed.tallies) + 1) // _COLUMNS)
        layout = canvas.add_gridspec(rows + 1, _COLUMNS)
        _rates(canvas, layout, replayed.tallies)
        _outages(canvas.add_subplot(layout[rows - 1, _COLUMNS - 1]), replayed.tallies)
        _threshold_panel(canvas.add_subplot(layout[rows, :]), replayed.tallies)
        return png(canvas)


def _rates(canvas: Figure, layout: GridSpec, tallies: Sequence[Tally]) -> None:
    first: Axes | None = None
    for place, each in enumerate(tallies):
        cell = layout[divmod(place, _COLUMNS)]
        axes = canvas.add_subplot(cell, sharex=first, sharey=first)
        first = first or axes
        _rate(axes, each, ours=place == 0)
        axes.tick_params(labelleft=place % _COLUMNS == 0)
        if place % _COLUMNS == 0:
            axes.set_ylabel("% of normal rows")


def _rate(axes: Axes, each: Tally, *, ours: bool) -> None:
    rates = np.array([100 * month.rate for month in each.months])
    places = np.arange(len(rates))
    axes.axhspan(0.8, 1.3, color=GOOD, alpha=0.15, linewidth=0)
    axes.axhline(_PROMISED, color=INK, linewidth=1)
    colour = NORMAL if ours else QUIET
    axes.plot(places, np.maximum(rates, _LOWEST), "-", color=colour, linewidth=1.6)
    bad = rates > 2.5  # noqa: PLR2004 - the limit of a month
    fine = np.maximum(rates[~bad], _LOWEST)
    axes.plot(places[~bad], fine, "o", color=colour, markersize=4, clip_on=False)
    axes.plot(places[bad], rates[bad], "o", color=INCIDENT, markersize=5.5)
    axes.set(yscale="log", ylim=_RATES)
    axes.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_yticks([], minor=True)
    _months(axes, each, every=9)
    axes.set_title(
        f"{each.policy}\n{each.rate:.2%}, worst {each.worst.rate:.1%}, {each.hit}/{each.outages}",
        loc="left",
        fontsize=11.5,
        fontweight="bold" if ours else "normal",
    )
    grid(axes)


def _outages(axes: Axes, tallies: Sequence[Tally]) -> None:
    places = np.arange(len(tallies))[::-1]
    shares = [100 * each.hit / max(1, each.outages) for each in tallies]
    axes.barh(places, shares, color=[NORMAL, *[QUIET] * (len(tallies) - 1)], height=0.7)
    axes.axvline(97, color=INK, linewidth=1)
    for place, each in zip(places, tallies, strict=True):
        label = f"{each.policy}: {100 * each.hit / max(1, each.outages):.0f} %"
        axes.annotate(label, (2, place), va="center", fontsize=10, color="white")
    axes.set(xlim=(0, 100))
    axes.set_yticks([])
    axes.set_title("outages hit, %\n(line: 97 %)", loc="left", fontsize=11.5)


def _threshold_panel(axes: Axes, tallies: Sequence[Tally]) -> None:
    ours = tallies[0]
    values = np.array([month.threshold.value for month in ours.months])
    places = np.arange(len(values))
    top = 2.2 * values.max()  # an interval without an upper end goes beyond the panel
    low = [month.threshold.low or 0.0 for month in ours.months]
    high = [top if month.threshold.high is None else month.threshold.high for month in ours.months]
    axes.fill_between(
        places, low, high, step="post", color=SHADE, linewidth=0, label="95 % interval"
    )
    axes.step(places, values, where="post", color=NORMAL, linewidth=2.2, label="threshold")
    for each in tallies[1:]:
        _opponent(axes, each, top)
    axes.set(ylim=(0, top), xlim=(0, len(values) - 1), ylabel="score")
    axes.set_title("threshold by month: Plimsoll, and the others thin", loc="left", fontsize=11.5)
    axes.legend(loc="upper right", ncols=2)
    _months(axes, ours, every=3)
    grid(axes, "y")


def _opponent(axes: Axes, each: Tally, top: float) -> None:
    values = np.array([month.threshold.value for month in each.months])
    places = np.arange(len(values))
    axes.step(places, np.minimum(values, top), where="post", color=QUIET, linewidth=0.9)
    at = (places[-1], min(values[-1], 0.97 * top))
    axes.annotate(f" {each.policy}", at, va="center", fontsize=9, color=INK, annotation_clip=False)


def _months(axes: Axes, each: Tally, *, every: int) -> None:
    names = [month.month for month in each.months]
    shown = [place for place in range(len(names)) if place % every == 0]
    axes.set_xticks(shown, [names[place] for place in shown])
