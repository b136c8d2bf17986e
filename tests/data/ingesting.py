"""The stages of an ingestion one after the other, as its tasks run them, at a chosen time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pipeline.config import DetectorSpec
from pipeline.settings import Deployment
from pipeline.steps.fetched_days import fetch_days
from pipeline.steps.ingestion import validate_staged, write_staged
from pipeline.store.ingestions import Attempt


def ingested(
    here: Deployment, spec: DetectorSpec, days: Sequence[date], *, now: datetime, run_id: str
) -> list[Attempt]:
    staged = validate_staged(here, spec, fetch_days(here, spec, days))
    return write_staged(here, spec, staged, now=now, run_id=run_id)
