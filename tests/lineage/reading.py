"""Lineage for tests: files of their own, and the events in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.lineage import events, sending

_LAST_EVENT_S = 10.0


@contextmanager
def lineage_in(folder: Path, **variables: str) -> Iterator[Path]:
    """Events go to `folder` while inside, as in a new process with these variables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENLINEAGE_DISABLED")
        patch.setenv("PLIMSOLL_LINEAGE", str(folder))
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(sending, "_sender", None)
        events._client.cache_clear()
        try:
            yield folder
        finally:
            # Events that are still queued would be sent in the next test.
            sender = sending._sender
            assert sender is None or sender.wait(_LAST_EVENT_S), "events are still on their way"
    events._client.cache_clear()


def events_in(folder: Path) -> list[dict[str, Any]]:
    """The events in `folder`, in the order in which they were written."""
    files = [*sorted(folder.glob("events-*.jsonl")), folder / "events.jsonl"]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def names(event: dict[str, Any], side: str) -> dict[str, str]:
    """The last part of the names of an event's datasets, and their versions."""
    return {
        each["name"].rpartition("/")[2]: each["facets"].get("version", {}).get("datasetVersion", "")
        for each in event[side]
    }
