"""Alerts: each fires and keeps quiet as it should, and names the page of the runbook."""

from __future__ import annotations

import functools
import re
import subprocess

import pytest
import yaml

from tests.deploy.monitoring.expressions import (
    PROMETHEUS,
    REPOSITORY,
    compose,
    exported,
    names_in,
    pushed_by_airflow,
    recorded,
    rules,
)

SUITES = sorted(PROMETHEUS.glob("tests/*.yml"))
ALERTS = {rule["alert"]: rule for rule in rules()}
# SeaweedFS is asked in the integration test, which reads every metric from the real one.
FOREIGN = ("SeaweedFS_",)


def sections() -> list[str]:
    """Alerts that the runbook has a section of."""
    text = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
    return re.findall(r"^### (\w+)$", text, re.MULTILINE)


@functools.cache
def verdicts_by_alert() -> dict[str, set[bool]]:
    """Whether tests expect an alert to fire, and to keep quiet."""
    found: dict[str, set[bool]] = {}
    for suite in SUITES:
        for case in yaml.safe_load(suite.read_text())["tests"]:
            for check in case["alert_rule_test"]:
                found.setdefault(check["alertname"], set()).add(bool(check["exp_alerts"]))
    return found


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_rules_fire_and_keep_quiet_as_their_tests_say(promtool, suite):
    done = subprocess.run(
        [promtool, "test", "rules", suite], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_configuration(promtool):
    done = subprocess.run(
        [promtool, "check", "config", PROMETHEUS / "prometheus.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_tested_in_both_directions(name):
    assert verdicts_by_alert().get(name) == {True, False}


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_a_section_in_the_runbook_and_links_to_it(name):
    assert name in sections()
    assert ALERTS[name]["annotations"]["runbook_url"] == (
        "{{ $externalLabels.runbooks }}#" + name.lower()
    )


def test_the_runbook_has_no_section_of_an_alert_that_is_gone():
    assert sorted(sections()) == sorted(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_how_bad_it_is_what_it_is_about_and_since_when(name):
    rule = ALERTS[name]

    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert "$value" in rule["annotations"]["summary"]
    assert "for" in rule
    if "by (detector)" in rule["expr"]:
        assert rule["annotations"]["summary"].startswith("{{ $labels.detector }}: ")


def test_each_for_has_its_reason_above_it():
    for path in PROMETHEUS.glob("rules/*.yml"):
        lines = [line.strip() for line in path.read_text().splitlines()]
        bare = [i + 1 for i, line in enumerate(lines) if line.startswith("for:")
                and not lines[i - 1].startswith("#")]  # fmt: skip

        assert bare == [], path.name


@pytest.mark.parametrize(
    "rule", [*rules(), *rules("record")], ids=lambda it: next(iter(it.values()))
)
def test_rules_read_only_what_somebody_serves(rule):
    asked = {name for name in names_in(rule["expr"]) if not name.startswith(FOREIGN)}
    airflow = {name for name in asked if name.startswith("airflow_")}

    assert asked - airflow <= exported() | recorded()
    assert {name for name in airflow if not pushed_by_airflow(name)} == set()


def test_a_metric_that_is_not_on_airflows_list_is_noticed():
    assert pushed_by_airflow("airflow_scheduler_heartbeat_total")
    assert not pushed_by_airflow("airflow_ti_finish_total")


def test_prometheus_keeps_what_the_longest_rule_looks_back_over():
    command = " ".join(compose()["services"]["prometheus"]["command"])
    kept = re.search(r"retention\.time=\S*?(\d+)d", command)

    assert kept
    assert int(kept[1]) > 28 + 7
