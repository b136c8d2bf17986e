"""A rolling window of scores with the live threshold and the recalibrated one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.data.timeline import Episode, Timeline
from pipeline.recalibration import STATUSES
from pipeline.report.figures.style import (
    GOOD,
    INCIDENT,
    INK,
    MOST,
    NORMAL,
    QUIET,
    WARNING,
    course_sheet,
    date_axis,
    grid,
    look,
    png,
    shade,
)

_COLOURS = {
    "presumed": NORMAL,
    "confirmed": GOOD,
    "suspect": WARNING,
    "held": INCIDENT,
    "incident": INK,
    "excluded": QUIET,
}
_SMALL, _LARGE = 2.0, 5.0


@dataclass(frozen=True)
class WindowPicture:
    """The content of the figure.

    Attributes:
        timeline: time and entity of each row.
        score: shape (n,).
        status: index into STATUSES of each row, shape (n,).
        old: the live threshold.
        new: the recalibrated threshold.
        held: episodes left out of the recalibration.
    """

    timeline: Timeline
    score: NDArray[np.float64]
    status: NDArray[np.int8]
    old: float
    new: float
    held: tuple[Episode, ...]


def recalibration_window(picture: WindowPicture) -> bytes:
    """Scores by time in units of the live threshold, one panel per entity, coloured by status."""
    shown = picture.timeline.names[:MOST]
    move = picture.new / picture.old - 1
    title = f"The threshold moves {move:+.1%}; long episodes held back: {len(picture.held)}"
    with look():
        figure, panels = course_sheet(title, shown, frame=1.8)
        for code, axes in enumerate(panels):
            _plot(axes, picture, picture.timeline.entity == code)
        shade(panels, shown, picture.held)
        date_axis(panels[-1], "time, UTC (shaded: held back)")
        figure.supylabel("score / live threshold (log scale)", fontsize=12.5)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, markerscale=3)
        return png(figure)


def _plot(axes: Axes, picture: WindowPicture, own: NDArray[np.bool_]) -> None:
    time = pd.DatetimeIndex(picture.timeline.time_ns, tz="UTC")
    floor = np.finfo(np.float32).tiny
    relative = np.maximum(picture.score, floor) / picture.old
    for name, colour in _COLOURS.items():
        of_status = own & (picture.status == STATUSES.index(name))
        size = _SMALL if name == "presumed" else _LARGE
        axes.plot(
            time[of_status], relative[of_status], ".", color=colour, markersize=size, label=name
        )
    axes.axhline(1.0, color=QUIET, linewidth=1.4, linestyle="--", label="live threshold")
    axes.axhline(
        picture.new / picture.old, color=INK, linewidth=1.6, label="recalibrated threshold"
    )
    axes.set_yscale("log")
    grid(axes, "x")
