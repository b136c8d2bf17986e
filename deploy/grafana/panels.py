"""What a dashboard is made of: queries, panels, sections, as plain records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "stat", "table", "bargauge"]
Source = Literal["prometheus", "plimsoll"]
"""Prometheus knows when a value was current; the database `plimsoll`, which day it is about."""

# Told apart by people who see few colours, on light and on dark: Okabe & Ito, Color Universal
# Design, 2008. One meaning each, on every dashboard.
BLUE = "#0072B2"  # what was measured
SKY = "#56B4E9"  # more of it: inner quantiles, bounds of an interval
ORANGE = "#E69F00"  # worth a look
VERMILION = "#D55E00"  # the line and the budget; beyond a limit
GREEN = "#009E73"  # as it should be
GREY = "#999999"  # for comparison


@dataclass(frozen=True)
class Query:
    """One question.

    Attributes:
        expr: PromQL, where `$detector` is the chosen one; or SQL.
        legend: how its series are called, or in a table its column; `{{label}}` is replaced.
        colour: of its one series; None: Grafana deals colours out.
        unit: of its column in a table; None: the panel's.
        limits: as of `Panel`, for its column in a table.
        dashed: a line for comparison rather than a measurement.
    """

    expr: str
    legend: str
    colour: str | None = None
    unit: str | None = None
    limits: tuple[tuple[float, str], ...] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: what it shows, in a few words.
        told: how to read it, and where to look next.
        unit: Grafana's name of the unit: percentunit, s, short, none, dateTimeFromNow, ...
        queries: at least one.
        kind: how it is drawn.
        width: in 24ths of the page.
        height: in Grafana's rows of about 30 pixels.
        limits: (from this value on, colour), rising, above a green ground; for single values.
        decimals: None: as many as Grafana finds useful.
        source: who is asked.
    """

    title: str
    told: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 12
    height: int = 8
    limits: tuple[tuple[float, str], ...] = ()
    decimals: int | None = None
    source: Source = "prometheus"


@dataclass(frozen=True)
class PanelSection:
    """Panels under one heading, laid out from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A page.

    Attributes:
        uid: stable part of its address.
        title: its name in the list.
        told: what it is for.
        sections: from top to bottom.
        by_detector: whether a detector is chosen at the top.
        since: how much it shows at first.
    """

    uid: str
    title: str
    told: str
    sections: tuple[PanelSection, ...]
    by_detector: bool = False
    since: str = "now-7d"
