"""The share of injected faults that was caught, by kind, size and channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from pipeline.evaluation.injection import FaultOutcome, minimum_detectable, recall
from pipeline.report.figures.style import INK, label, look, png, sheet

_SHADES = "cividis"  # made for every colour vision
_DARK = 0.55
_MOST_CHANNELS = 20
_WIDTH = 12.0  # wider than a page, for the numbers; MLflow shrinks it where it shows it alone


def fault_recall(outcomes: Sequence[FaultOutcome], *, share: float) -> bytes:
    """One heat map per kind: % of episodes caught, by channel and size; last row: all channels.

    Where no fault could be planted the figure says so.
    """
    kinds = recall(tuple(outcomes))
    if not kinds:
        with look():
            return png(sheet("Injected faults: none could be planted", height=1.5, width=_WIDTH))
    smallest = minimum_detectable(tuple(outcomes), share=share)
    caught_kinds = [kind for kind in kinds if smallest[kind] is not None]
    names = _least_caught(outcomes)
    with look():
        figure = sheet(
            f"Injected faults: {len(caught_kinds)} of {len(kinds)} kinds are caught "
            f"at least {share:.0%} of the time",
            height=2.1 + 0.42 * (len(names) + 1),
            width=_WIDTH,
        )
        widths = [max(2, len(by_size)) for by_size in kinds.values()]
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False, width_ratios=widths)[0]
        for axes, (kind, by_size) in zip(panels, kinds.items(), strict=True):
            cells = _cells(outcomes, kind, names, list(by_size))
            _plot(axes, np.vstack([cells, list(by_size.values())]), [*names, "all channels"])
            unit = _unit(outcomes, kind)
            size = smallest[kind]
            onset = "not caught" if size is None else f"from {size:g} {unit}" if unit else "caught"
            axes.set_title(f"{kind}\n{onset}", fontsize=12)
            axes.set_xticks(range(len(by_size)), [f"{size:g}" if unit else "" for size in by_size])
            axes.set_xlabel(unit)
        total = len({o.channel for o in outcomes})
        note = f" (the {len(names)} of {total} channels caught least)" if total > len(names) else ""
        figure.supxlabel(f"% of episodes caught, by channel and size{note}", fontsize=12.5)
        return png(figure)


def _least_caught(outcomes: Sequence[FaultOutcome]) -> list[str]:
    """The channels in their own order; of many, those with the fewest caught episodes."""
    names = list(dict.fromkeys(o.channel for o in outcomes))
    caught = {
        name: sum(o.caught for o in outcomes if o.channel == name)
        / sum(o.episodes for o in outcomes if o.channel == name)
        for name in names
    }
    kept = sorted(names, key=lambda name: caught[name])[:_MOST_CHANNELS]
    return [name for name in names if name in kept]


def _unit(outcomes: Sequence[FaultOutcome], kind: str) -> str:
    return next(o.unit for o in outcomes if o.kind == kind)


def _cells(
    outcomes: Sequence[FaultOutcome], kind: str, names: list[str], sizes: list[float]
) -> np.ndarray:
    cells = np.full((len(names), len(sizes)), np.nan)
    for outcome in outcomes:
        if outcome.kind == kind and outcome.channel in names:
            place = names.index(outcome.channel), sizes.index(outcome.size)
            cells[place] = outcome.caught / outcome.episodes
    return cells


def _plot(axes: Axes, cells: np.ndarray, names: list[str]) -> None:
    axes.imshow(cells, cmap=_SHADES, vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(~np.isnan(cells)):
        value = cells[row, column]
        colour = INK if value > _DARK else "white"
        axes.text(
            column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour, fontsize=9
        )
    for column in range(1, cells.shape[1]):
        axes.axvline(column - 0.5, color="white", linewidth=1.5)
    axes.axhline(len(names) - 1.5, color="white", linewidth=4)
    axes.set_yticks(range(len(names)), [label(name) for name in names])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
