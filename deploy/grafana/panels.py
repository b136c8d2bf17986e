"""The parts of a dashboard: queries, panels, sections, as plain records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "stat", "table", "bargauge"]
Source = Literal["prometheus", "plimsoll"]
"""Prometheus has values by scrape time; the database `plimsoll`, by the day they are about."""

# Distinguishable for colour-blind people, on light and on dark: Okabe & Ito, Color Universal
# Design, 2008. One meaning each, on every dashboard.
BLUE = "#0072B2"  # measurements
SKY = "#56B4E9"  # further measurements: inner quantiles, bounds of an interval
ORANGE = "#E69F00"  # worth a look
VERMILION = "#D55E00"  # the threshold and the budget; beyond a limit
GREEN = "#009E73"  # good
GREY = "#999999"  # for comparison


@dataclass(frozen=True)
class Query:
    """One query.

    Attributes:
        expr: PromQL, where `$detector` is the chosen one; or SQL.
        legend: name of its series, or of its column in a table; `{{label}}` is replaced.
        colour: of its one series; None: Grafana chooses.
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
    """One panel.

    Attributes:
        title: its content, in a few words.
        description: how to read it, and where to look next.
        unit: Grafana's name of the unit: percentunit, s, short, none, dateTimeFromNow, ...
        queries: at least one.
        kind: Grafana's type of panel.
        width: in 24ths of the page.
        height: in Grafana's rows of about 30 pixels.
        limits: (from this value on, colour), rising, above a green ground; for single values.
        decimals: None: Grafana chooses.
        source: the data source.
    """

    title: str
    description: str
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
    """A dashboard.

    Attributes:
        uid: stable part of its address.
        title: its name in the list.
        description: its purpose.
        sections: from top to bottom.
        by_detector: whether a detector is chosen at the top.
        since: the initial time range.
    """

    uid: str
    title: str
    description: str
    sections: tuple[PanelSection, ...]
    by_detector: bool = False
    since: str = "now-7d"
