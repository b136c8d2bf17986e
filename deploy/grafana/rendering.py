"""Dashboards as the JSON that Grafana reads.

Fields are those of dashboard schema 39, which Grafana 11 and 12 import and upgrade.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from typing import Any

from deploy.grafana.panels import GREEN, GREY, Dashboard, Panel, Query, Source

SCHEMA = 39
PAGE = 24

Json = dict[str, Any]

# As provisioning/datasources/plimsoll.yml names them.
SOURCES: dict[Source, Json] = {
    "prometheus": {"type": "prometheus", "uid": "prometheus"},
    "plimsoll": {"type": "grafana-postgresql-datasource", "uid": "plimsoll"},
}


def as_json(dashboard: Dashboard) -> str:
    """The text of the file that Grafana provisions."""
    return json.dumps(render(dashboard), indent=1, ensure_ascii=False) + "\n"


def render(dashboard: Dashboard) -> Json:
    """The dashboard as Grafana's own model."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["plimsoll"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,  # one moment, marked in all panels
        "refresh": "1m",
        "time": {"from": dashboard.since, "to": "now"},
        "timezone": "utc",  # partitions are UTC days
        "templating": {"list": [_choice()] if dashboard.by_detector else []},
        "links": [
            {"type": "dashboards", "title": "Plimsoll", "tags": ["plimsoll"], "keepTime": True}
        ],
        "panels": list(_laid_out(dashboard)),
    }


def _choice() -> Json:
    names = "label_values(plimsoll_bundle_version, detector)"
    return {
        "name": "detector",
        "label": "Detector",
        "type": "query",
        "datasource": SOURCES["prometheus"],
        "definition": names,
        "query": {"query": names, "refId": "detector"},
        "refresh": 2,  # at each change of the time range
        "sort": 1,
    }


def _laid_out(dashboard: Dashboard) -> Iterator[Json]:
    number, top = 1, 0
    for section in dashboard.sections:
        place = {"x": 0, "y": top, "w": PAGE, "h": 1}
        yield {"id": number, "type": "row", "title": section.title, "gridPos": place, "panels": []}
        number, top, left, tallest = number + 1, top + 1, 0, 0
        for panel in section.panels:
            if left + panel.width > PAGE:
                top, left, tallest = top + tallest, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            number, left, tallest = number + 1, left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(panel: Panel) -> Json:
    defaults: Json = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if panel.limits else "palette-classic"},
        "thresholds": _steps(panel.limits),
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        # Values change once a day: steps, and no interpolation between them.
        defaults["custom"] = {"lineInterpolation": "stepAfter", "lineWidth": 2, "fillOpacity": 0}
    rendered: Json = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCES[panel.source],
        "fieldConfig": {"defaults": defaults, "overrides": list(_overrides(panel))},
        "options": _options(panel),
        "targets": [
            _target(letter, query, panel)
            for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False)
        ],
    }
    if panel.kind == "table":
        rendered["transformations"] = _columns(panel)
    return rendered


def _target(letter: str, query: Query, panel: Panel) -> Json:
    asked = {"refId": letter, "datasource": SOURCES[panel.source]}
    if panel.source == "plimsoll":
        sql = {"rawSql": query.expr, "rawQuery": True, "editorMode": "code"}
        return {**asked, **sql, "format": "time_series"}
    now = panel.kind != "timeseries"
    return {
        **asked,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": now,
        "range": not now,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _options(panel: Panel) -> Json:
    reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.kind:
        case "timeseries":
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case "stat":
            style = {"colorMode": "value", "graphMode": "none", "textMode": "auto"}
            return {"reduceOptions": reduced, **style}
        case "bargauge":
            style = {"displayMode": "basic", "orientation": "horizontal"}
            return {"reduceOptions": reduced, **style}
        case "table":
            return {"cellHeight": "sm", "showHeader": True}


def _overrides(panel: Panel) -> Iterator[Json]:
    for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        properties: list[Json] = []
        if query.colour is not None:
            properties.append(_set("color", {"mode": "fixed", "fixedColor": query.colour}))
        if query.dashed:
            properties.append(_set("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}))
        if query.unit is not None:
            properties.append(_set("unit", query.unit))
        if query.limits:
            properties += [
                _set("thresholds", _steps(query.limits)),
                _set("custom.cellOptions", {"type": "color-text"}),
                _set("color", {"mode": "thresholds"}),
            ]
        if properties:
            yield {"matcher": _matcher(panel, letter, query), "properties": properties}


def _matcher(panel: Panel, letter: str, query: Query) -> Json:
    """The matcher of a query; in a merged table by name, as its columns do not have the query."""
    if panel.kind == "table":
        return {"id": "byName", "options": query.legend}
    return {"id": "byFrameRefID", "options": letter}


def _set(name: str, value: object) -> Json:
    return {"id": name, "value": value}


def _steps(limits: tuple[tuple[float, str], ...]) -> Json:
    """Thresholds in Grafana's form; the step below the first limit has no value."""
    ground = GREEN if limits else GREY
    steps: list[Json] = [{"color": ground, "value": None}]
    steps += [{"color": colour, "value": at} for at, colour in limits]
    return {"mode": "absolute", "steps": steps}


def _columns(panel: Panel) -> list[Json]:
    """One row for each detector, one column for each query."""
    names = {
        f"Value #{letter}": query.legend
        for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False)
    }
    kept = {"excludeByName": {"Time": True}, "renameByName": names}
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": kept}]
