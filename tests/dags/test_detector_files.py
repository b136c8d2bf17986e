"""Which detectors a DAG file makes DAGs for."""

from __future__ import annotations

import pytest

from dags.detector_files import readable_detectors
from tests.integration.plant import write_detector

NAMES = ("press", "press__old", "pump")


@pytest.fixture(autouse=True)
def _three_detectors(tmp_path, monkeypatch):
    for name in NAMES:
        write_detector(tmp_path, name)
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(tmp_path))


def test_the_dag_processor_gets_every_detector():
    assert [spec.name for spec in readable_detectors()] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_task_gets_only_its_own(name, monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", f"{name}__score")

    assert [spec.name for spec in readable_detectors()] == [name]
