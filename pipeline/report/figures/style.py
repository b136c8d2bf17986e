"""The style of all figures: one palette, one frame, one size."""

from __future__ import annotations

import io
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

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
