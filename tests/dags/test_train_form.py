"""The form of the train DAG."""

from __future__ import annotations

import copy

import pytest
from airflow.sdk.exceptions import ParamValidationError

from dags import train
from tests.builders import make_spec

DAG = train.train_dag(make_spec())


def filled_in(**fields):
    form = copy.deepcopy(DAG.params)
    form.update(fields)
    return form.validate()


def windows(monkeypatch, **fields):
    """The arguments of the step."""
    asked = []
    monkeypatch.setattr(train, "as_of_day", lambda: "2024-02-01")
    monkeypatch.setattr(
        "pipeline.steps.fitting.window",
        lambda *given, **named: asked.append((given, named)) or {},
    )
    train.window.function("pumps", params=filled_in(**fields))
    return asked


def test_a_run_starts_from_new_weights_by_default(monkeypatch):
    (given, named) = windows(monkeypatch)[0]

    assert given[1:] == ("pumps", "2024-02-01")
    assert named == {"training_days": None, "warm_start": False}


def test_a_person_may_ask_for_a_fine_tuning(monkeypatch):
    assert windows(monkeypatch, warm_start=True)[0][1]["warm_start"] is True


def test_only_yes_or_no_is_an_answer():
    with pytest.raises(ParamValidationError):
        filled_in(warm_start="version 3")
