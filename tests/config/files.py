"""Detector files to write, right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import load_detector
from pipeline.errors import ConfigError

TEXT = """\
name: pump
source: {kind: csv, path: pump.csv}
schema:
  timestamp: time
  entity: machine
  cadence: 1min
  features:
    flow: {unit: l/s}
    load: {unit: kW}
schedule: {start: 2024-01-01}
"""


def put(folder: Path, text: str | bytes) -> Path:
    path = folder / "pump.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def content(**changes: Any) -> dict[str, Any]:
    return yaml.safe_load(TEXT) | changes


def schema(**changes: Any) -> dict[str, Any]:
    return {"schema": content()["schema"] | changes}


def put_changed(folder: Path, **changes: Any) -> Path:
    return put(folder, yaml.safe_dump(content(**changes), sort_keys=False, allow_unicode=True))


def refusal(path: Path) -> str:
    """The message about a wrong file, without its path."""
    with pytest.raises(ConfigError) as refused:
        load_detector(path)
    lines = str(refused.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    return "\n".join(line.removeprefix(f"{path}:") for line in lines)
