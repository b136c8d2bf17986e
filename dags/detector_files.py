"""The detector files, at parse time."""

from __future__ import annotations

from pipeline import settings
from pipeline.config import DetectorSpec, load_detector
from pipeline.errors import ConfigError


def readable_detectors() -> list[DetectorSpec]:
    """Every detector whose file is right.

    A wrong file must not take the DAGs of its neighbours down; `dags/broken_detector_files.py`
    reports it as an import error.
    """
    return [spec for spec, _ in _read() if spec is not None]


def mistakes() -> list[str]:
    """What is wrong with the others, one text a file."""
    return [text for _, text in _read() if text]


def _read() -> list[tuple[DetectorSpec | None, str]]:
    found: list[tuple[DetectorSpec | None, str]] = []
    for path in sorted(settings.load().detectors.glob("*.yaml")):
        try:
            found.append((load_detector(path), ""))
        except ConfigError as error:
            found.append((None, str(error)))
    return found
