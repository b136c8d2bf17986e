"""No DAG: shows every mistake in `detectors/*.yaml` as an import error on Airflow's home page."""

from __future__ import annotations

from dags.detector_files import mistakes
from pipeline.errors import ConfigError

if _mistakes := mistakes():
    raise ConfigError("\n".join(_mistakes))
