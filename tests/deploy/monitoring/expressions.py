"""The metrics in PromQL expressions, and those that exist."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pipeline.metrics.families import families
from pipeline.metrics.postgres import Newest

REPOSITORY = Path(__file__).parents[3]
PROMETHEUS = REPOSITORY / "deploy" / "prometheus"

_OURS = re.compile(r"\b(?:plimsoll_|airflow_|SeaweedFS_|detector:plimsoll_|prometheus_)[\w:]+")
_AT = datetime(2026, 1, 1, tzinfo=UTC)

# What Prometheus makes by itself.
BUILT_IN = {"prometheus_tsdb_head_series"}


def names_in(expression: str) -> set[str]:
    """Metrics that an expression reads, but those that every target has (`up`, ...)."""
    return set(_OURS.findall(expression))


@functools.cache
def exported() -> set[str]:
    """Names of all metrics of the exporter."""
    found = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families(Newest((), ()), now=_AT)
    }
    return found | {"plimsoll_scrape_duration_seconds"}


@functools.cache
def rules(kind: str = "alert") -> list[dict[str, Any]]:
    """Every rule of a kind, `alert` or `record`."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(PROMETHEUS.glob("rules/*.yml"))]
    return [
        rule
        for file in files
        for group in file["groups"]
        for rule in group["rules"]
        if kind in rule
    ]


def recorded() -> set[str]:
    """Names of the metrics of recording rules."""
    return {rule["record"] for rule in rules("record")}


@functools.cache
def compose() -> dict[str, Any]:
    """docker-compose.yml."""
    parsed: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return parsed


@functools.cache
def pushed_by_airflow(name: str) -> bool:
    """Whether the list in docker-compose.yml lets Airflow push what becomes the metric `name`."""
    settings = compose()["x-airflow-metrics"]
    allowed = settings["AIRFLOW__METRICS__METRICS_ALLOW_LIST"].replace("$$", "$").split(",")
    # Dots have become underscores; as a pattern, a dot matches either.
    plain = name.removeprefix("airflow_").removesuffix("_total")
    return any(re.findall(pattern.replace(r"\.", "."), plain) for pattern in allowed)
