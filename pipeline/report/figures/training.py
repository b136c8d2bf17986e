"""The training history of a network."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.ticker import LogLocator, NullFormatter

from pipeline.report.figures.style import INCIDENT, NORMAL, QUIET, grid, look, png, sheet


def training_history(
    training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]]
) -> bytes:
    """Loss by step, as (step, loss) pairs; the step of the lowest validation loss was kept."""
    best = min(validation, key=lambda point: point[1], default=None)
    title = (
        f"The network of step {best[0]:,} was kept: validation loss {best[1]:.3g}"
        if best
        else "Loss during training"
    )
    with look():
        figure = sheet(title, height=4.6)
        axes = figure.subplots()
        for name, points, colour, width in (
            ("training", training, QUIET, 1.2),
            ("validation", validation, NORMAL, 2.2),
        ):
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, label=name)
        if best:
            axes.plot(*best, "o", color=INCIDENT, markersize=10, label="kept", zorder=5)
        axes.set(xlabel="step", ylabel="mean squared error (log scale)", yscale="log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.legend(loc="upper right")
        grid(axes)
        return png(figure)
