"""The stages of an ingestion one after the other, as its tasks run them, at a chosen time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from pipeline.config import DetectorSpec
from pipeline.steps import ingest_stages
from pipeline.store.ingestions import Attempt


def ingested(
    spec: DetectorSpec, days: Sequence[date], *, root: str, cache: Path, now: datetime, run_id: str
) -> list[Attempt]:
    staged = ingest_stages.validate(spec, ingest_stages.fetch(spec, days, root=root, cache=cache))
    return ingest_stages.write(spec, staged, root=root, now=now, run_id=run_id)
