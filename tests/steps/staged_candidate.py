"""A trained candidate on its way through the steps, whose files somebody may change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.settings import Deployment
from pipeline.steps import evaluating, fitting

RUN = "pumps__train/r2"

Payload = dict[str, Any]


def fitted(here: Deployment, as_of: str) -> Payload:
    """The payload of `calibrate`."""
    payload = fitting.window(here, "pumps", as_of)
    return fitting.calibrate(here, fitting.train(here, payload, run=RUN))


def measured(here: Deployment, payload: Payload) -> Payload:
    """The payload of `drift` for the gate."""
    return evaluating.drift(here, evaluating.evaluate(here, payload))


@contextmanager
def restored(payload: Payload) -> Iterator[Path]:
    """The folder of the candidate's files; changes are undone at the end."""
    folder = Path(payload["uri"])
    before = {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    try:
        yield folder
    finally:
        for each in folder.rglob("*"):
            if each.is_file() and each not in before:
                each.unlink()
        for each, content in before.items():
            each.write_bytes(content)
