"""A detector with telemetry and incidents, about which people are asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import yaml

from pipeline import tables
from pipeline.detector.attribution import Blame, blame_as_text
from pipeline.incidents.joining import joined
from pipeline.incidents.parts import IncidentPart
from pipeline.settings import Deployment
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table
from tests.builders import days, make_spec, make_telemetry

HOUR = pd.Timedelta(hours=1)


def put_detector(here: Deployment, *, n_days: int = 3, **sections: Any) -> None:
    """A detector file for the pump farm, and its telemetry."""
    spec = make_spec(**sections)
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    rows = telemetry_table(make_telemetry(n_days), spec.columns)
    tables.replace_days(Table(here.storage, "pumps", "telemetry"), days(n_days), rows, metadata={})


def put_incident(
    here: Deployment, start: datetime, *, entity: str = "a", rows: int = 3, **part: Any
) -> str:
    """An episode of hourly flags within one day, as `score` writes it; its id."""
    begin = pd.Timestamp(start)
    made = {
        "kind": "anomaly",
        "status": "raised",
        "entity": entity,
        "start": begin,
        "end": begin + (rows - 1) * HOUR,
        "rows": rows,
        "peak": 2.0,
        "peak_at": begin,
        "version": 1,
        **part,
    }
    (found,) = joined([IncidentPart(**made, features=(Blame("flow", 3.0),))], HOUR, HOUR)
    row = {**made, "features": blame_as_text([Blame("flow", 3.0)]), "date": begin.date()}
    tables.append(Table(here.storage, "pumps", "incidents"), [row])
    return found.id
