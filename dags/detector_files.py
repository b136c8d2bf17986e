"""The detector files, at parse time."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from pipeline import settings
from pipeline.config import DetectorSpec, load_detector
from pipeline.errors import ConfigError


def readable_detectors() -> list[DetectorSpec]:
    """Every detector whose file is right; in a task's own process, the one that it is about.

    A wrong file must not take the DAGs of its neighbours down; `dags/broken_detector_files.py`
    reports it as an import error. A task has its DAG file parsed once more before it begins, and
    should not wait for the DAGs of all others.
    """
    dag_id = get_parsing_context().dag_id
    only = dag_id.rpartition("__")[0] if dag_id else "*"
    return [spec for spec, _ in _read(only) if spec is not None]


def mistakes() -> list[str]:
    """What is wrong with the others, one text a file."""
    return [text for _, text in _read("*") if text]


def _read(name: str) -> list[tuple[DetectorSpec | None, str]]:
    found: list[tuple[DetectorSpec | None, str]] = []
    for path in sorted(settings.load().detectors.glob(f"{name}.yaml")):
        try:
            found.append((load_detector(path), ""))
        except ConfigError as error:
            found.append((None, str(error)))
    return found
