"""The style of all figures: one palette, one frame, one size, and panels over time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pipeline.data.timeline import Episode
from pipeline.printable import one_line

# Okabe & Ito (2008): distinguishable with every colour vision, and in grey.
INK = "#1f2933"
QUIET = "#8a94a0"
NORMAL = "#0072B2"
INCIDENT = "#D55E00"
WARNING = "#E69F00"
GOOD = "#009E73"
SHADE = "#F6D9C4"

_LONGEST_LABEL = 40
_WIDTH, _DPI = 10.4, 100  # 1,040 pixels: a model-version page in a window of 1,280

_LOOK: Any = {
    "font.size": 12.5,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,  # a channel may be called `cost in $`
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.8,
}

MOST = 8
"""Entities that are shown; more would be too small to read."""


def look() -> Any:
    """A context in which figures have our style; plot and save inside it."""
    return mpl.rc_context(_LOOK)


def sheet(title: str, *, height: float = 5.2, width: float = _WIDTH) -> Figure:
    """An empty figure, 1,040 pixels wide by default, with its finding at the top left."""
    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12)
    figure = Figure(figsize=(width, height), dpi=_DPI, layout=layout)
    figure.suptitle(title, x=0.012, ha="left", fontsize=16, fontweight="bold")
    return figure


def label(name: str) -> str:
    """A name beside an axis, cut so that it leaves room for the plot."""
    return one_line(name, most=_LONGEST_LABEL)


def grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Faint lines behind the data."""
    axes.grid(visible=True, axis=axis)


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def course_sheet(title: str, names: Sequence[str], *, frame: float) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each of `names`; `frame` is the height of the space around them."""
    figure = sheet(title, height=frame + 1.6 * max(2, len(names)))
    panels = list(figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0])
    for axes, name in zip(panels, names, strict=True):
        axes.set_ylabel(label(name) or "score", rotation=0, ha="right", va="center")
    return figure, panels


def shade(panels: Sequence[Axes], names: Sequence[str], marked: Iterable[Episode]) -> None:
    """Shade the episodes of the entities that are shown."""
    for episode, axes in _shown(panels, names, marked):
        span = date2num([episode.start, episode.end])  # type: ignore[no-untyped-call]  # matplotlib.dates ships untyped
        axes.axvspan(*span, color=SHADE, zorder=0, linewidth=2)


def date_axis(axes: Axes, label: str) -> None:
    """Concise dates, and a label that explains the shading."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib.dates ships untyped
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]  # matplotlib.dates ships untyped
    )
    axes.set_xlabel(label)


def _shown(
    panels: Sequence[Axes], names: Sequence[str], marked: Iterable[Episode]
) -> Iterator[tuple[Episode, Axes]]:
    by_name = dict(zip(names, panels, strict=True))
    return ((each, by_name[each.entity]) for each in marked if each.entity in by_name)
