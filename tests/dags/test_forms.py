"""The forms for people's answers: accepted input, and the recorded author."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from dags import context, feature, forms, label
from pipeline.errors import DataError
from pipeline.store.decisions import decisions_as_of
from pipeline.store.labels import labels_as_of
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table, replace_days
from tests.builders import days, make_spec, make_telemetry, stored_in

SPEC = make_spec()
LABEL, FEATURE = label.label_dag(SPEC), feature.feature_dag(SPEC)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """One day of telemetry, and a run that ann triggered."""
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path))
    monkeypatch.setattr("pipeline.steps.labelling.detector_named", lambda *_: SPEC)
    monkeypatch.setattr("pipeline.steps.channel_decision.detector_named", lambda *_: SPEC)
    triggered(monkeypatch, "ann")
    rows = telemetry_table(make_telemetry(), SPEC.columns)
    replace_days(Table(str(tmp_path), "pumps", "telemetry"), days(1), rows, metadata={})
    return str(tmp_path)


def triggered(monkeypatch, user):
    run = SimpleNamespace(triggering_user_name=user, dag_id="pumps__label", run_id="manual__1")
    for module in (forms, context):
        monkeypatch.setattr(module, "get_current_context", lambda: {"dag_run": run})


def filled_in(dag, **fields):
    """The form with some fields filled in, as Airflow validates it before a run starts."""
    form = copy.deepcopy(dag.params)
    form.update(fields)
    return form.validate()


SPAN = {"start": "2024-01-01T03:00:00.000Z", "end": "2024-01-01T05:00:00.000Z"}


def test_the_user_who_triggered_the_run_is_the_author(root):
    said = filled_in(LABEL, verdict="incident", entity="a", note="bearing", **SPAN)

    recorded = label.label.function("pumps", params=said)

    (made,) = labels_as_of(stored_in(root), "pumps", datetime.now(UTC))
    assert (made.author, made.entity, made.note) == ("ann", "a", "bearing")
    assert made.run_id == "pumps__label/manual__1"
    assert recorded["rows"] == 3


def test_a_run_without_a_user_says_nothing(root, monkeypatch):
    triggered(monkeypatch, None)

    with pytest.raises(AirflowFailException, match="names no user"):
        label.label.function("pumps", params=filled_in(LABEL, verdict="normal", **SPAN))

    assert labels_as_of(stored_in(root), "pumps", datetime.now(UTC)) == ()


@pytest.mark.usefixtures("root")
def test_a_time_that_the_form_lets_through_fails_at_once():
    said = filled_in(LABEL, verdict="normal", start="yesterday", end="today")

    with pytest.raises(DataError, match="start 'yesterday' is not a time; write"):
        label.label.function("pumps", params=said)


@pytest.mark.parametrize(
    ("dag", "fields"),
    [
        (LABEL, {}),
        (LABEL, {"verdict": "maybe"}),
        (LABEL, {"verdict": "normal", "entity": "z"}),
        (LABEL, {"verdict": "normal", "start": 3}),
        (FEATURE, {"channel": "flow"}),
        (FEATURE, {"channel": "flow_vs_peers", "decision": "mute"}),
        (FEATURE, {"channel": "flow", "decision": "ignore"}),
    ],
)
def test_a_wrong_field_is_refused_by_the_form(dag, fields):
    with pytest.raises(ParamValidationError):
        filled_in(dag, **fields)


def test_a_decision_is_recorded_with_its_author(root):
    said = filled_in(FEATURE, channel="flow", decision="mute", since="2024-01-01T00:00:00Z")

    feature.decide.function("pumps", params=said)

    (made,) = decisions_as_of(stored_in(root), "pumps", datetime.now(UTC))
    assert (made.channel, made.entity, made.author) == ("flow", None, "ann")


def test_a_detector_of_one_machine_is_not_asked_for_one():
    one = make_spec(schema={"entity": None, "entities": [], "derived": []})

    assert "entity" not in label.label_dag(one).params


def test_machines_that_are_not_listed_are_typed_in():
    unlisted = label.label_dag(make_spec(schema={"entities": []}))

    assert filled_in(unlisted, verdict="normal", entity="anything")["entity"] == "anything"
