"""Panels over time, one per entity: shared by the figures of scores and of a recalibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from pipeline.data.timeline import Episode
from pipeline.report.figures.style import SHADE, label, sheet

MOST = 8
"""Entities that are shown; more would be too small to read."""


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
