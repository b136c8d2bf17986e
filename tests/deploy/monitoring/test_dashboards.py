"""Dashboards: what is committed is what the code says, and every panel can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import DASHBOARDS, FOLDER
from deploy.grafana.rendering import SOURCES, as_json
from pipeline.metrics.postgres import READER
from tests.deploy.monitoring.expressions import (
    BUILT_IN,
    exported,
    names_in,
    pushed_by_airflow,
    recorded,
)

PANELS = [
    pytest.param(panel, id=f"{dashboard.title}: {panel.title}")
    for dashboard in DASHBOARDS
    for section in dashboard.sections
    for panel in section.panels
]


def provisioned() -> list[dict[str, Any]]:
    path = FOLDER.parent / "provisioning" / "datasources" / "plimsoll.yml"
    sources: list[dict[str, Any]] = yaml.safe_load(path.read_text())["datasources"]
    return sources


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_the_committed_file_is_what_the_code_renders(dashboard):
    committed = (FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8")

    assert committed == as_json(dashboard), "run `python -m deploy.grafana` and commit the result"


def test_no_file_is_left_of_a_dashboard_that_is_gone():
    assert {path.stem for path in FOLDER.iterdir()} == {each.uid for each in DASHBOARDS}


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_has_title_unit_and_description_and_names_its_series(panel):
    assert panel.title
    assert panel.unit
    assert panel.description.endswith(".")
    assert panel.queries
    assert all(query.legend for query in panel.queries)


@pytest.mark.parametrize("panel", PANELS)
def test_panels_read_only_what_somebody_serves(panel):
    asked = set().union(*(names_in(query.expr) for query in panel.queries))
    foreign = {name for name in asked if name.startswith("SeaweedFS_")}
    airflow = {name for name in asked if name.startswith("airflow_")}

    assert asked - airflow - foreign <= exported() | recorded() | BUILT_IN
    assert {name for name in airflow if not pushed_by_airflow(name)} == set()


def test_every_metric_of_the_exporter_is_on_a_dashboard():
    shown = set().union(*(
        names_in(query.expr) for param in PANELS for query in param.values[0].queries
    ))  # fmt: skip

    assert exported() - shown == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_panels_lie_beside_each_other_and_never_over_each_other(dashboard):
    occupied: set[tuple[int, int]] = set()
    rendered = json.loads(as_json(dashboard))["panels"]

    for place in (panel["gridPos"] for panel in rendered):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & occupied
        occupied |= cells

    assert len({panel["id"] for panel in rendered}) == len(rendered)


def test_the_sources_that_panels_name_are_provisioned():
    assert [{"type": each["type"], "uid": each["uid"]} for each in provisioned()] == list(
        SOURCES.values()
    )


def test_grafana_asks_the_database_as_the_role_that_may_only_read():
    by_uid = {each["uid"]: each for each in provisioned()}

    assert by_uid["plimsoll"]["user"] == READER
    assert by_uid["plimsoll"]["secureJsonData"] == {"password": "$PLIMSOLL_READER_DB_PASSWORD"}
