"""Names of metrics against MLflow's own rules for them."""

from __future__ import annotations

import mlflow.utils.validation as rules
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.registry.runs import metric_of

ODD = (
    "Wind speed (m/s)",
    "temp °C",
    "load %",
    "a,b",
    "p:q;r",
    'say "hi"',
    "it's",
    "a/b",
    "/a",
    "a//b",
    "..",
    ".",
    "../../x",
    "e\u0301",
    "\u65e5\u672c",
    "\U0001f600",
    "w" * 5000,
    "\u00e9" * 400,
    "$x$",
    "</script>",
)


@pytest.mark.parametrize("name", ODD)
def test_every_name_is_one_level_below_its_family(name):
    metric = metric_of("drift", name)

    rules._validate_metric_name(metric)
    assert len(metric) <= rules.MAX_ENTITY_KEY_LENGTH
    assert metric.startswith("drift/")
    assert metric.count("/") == 1


@pytest.mark.parametrize("name", ["power", "power_vs_peers", "oil 2", "a.b-c", "p:q", "Grösse"])
def test_a_name_that_mlflow_accepts_stays_as_it_is(name):
    assert metric_of("drift", name) == f"drift/{name}"


def test_different_names_have_different_metrics():
    names = ["a(b", "a)b", "a/b", "a_b", "a%b", "w" * 300, "w" * 301, "w" * 200, "°", "%", "_"]

    assert len({metric_of("drift", name) for name in names}) == len(names)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
@example(["\ud800", "\ud801"])
def test_whatever_the_name_mlflow_accepts_it_and_distinguishes_it_from_another(names):
    metrics = [metric_of("drift", name) for name in names]

    for metric in metrics:
        rules._validate_metric_name(metric)
        assert len(metric) <= rules.MAX_ENTITY_KEY_LENGTH
    assert metrics[0] != metrics[1]
