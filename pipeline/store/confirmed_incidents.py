"""Confirmed incidents: the days with incidents that people have labelled, wherever they lie.

The test block holds one day in six, so most confirmed incidents fall on days that train or that
left the window long ago. No candidate has learned their rows (they are not normal), so every
candidate can be asked whether it sees them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.config.columns import LABEL_COLUMN
from pipeline.data.grid import days_between
from pipeline.data.label import INCIDENT, verdicts
from pipeline.data.timeline import timeline_from
from pipeline.settings import Deployment
from pipeline.store.fits import fitting
from pipeline.store.labels import labels_as_of
from pipeline.store.telemetry import read_telemetry_of, telemetry_days
from pipeline.store.training_window import WindowManifest
from pipeline.utc_day import ONE_DAY, midnight

REACH = timedelta(days=365)
"""Limits what is read; older incidents were checked for a year."""


def read_confirmed_incidents(
    here: Deployment, spec: DetectorSpec, window: WindowManifest, *, without: Collection[date]
) -> pd.DataFrame:
    """Telemetry of the days of the last year that hold a confirmed incident, in order of time.

    Whole days, so that windows of several rows are full where the incident begins. As of the
    window's as-of day and table version; with `verdicts` in LABEL_COLUMN; without days whose rows
    mean something else than the detector file says now, and without rows that lack one of
    today's features, or, where values may be missing, all that are judged. Empty where nobody has
    confirmed an incident.

    Args:
        here: the deployment.
        spec: the detector.
        window: where the candidate's rows come from.
        without: the days of its test block, which are evaluated anyway.
    """
    first, last = window.as_of - REACH, window.as_of - ONE_DAY
    labels = labels_as_of(here, spec.name, midnight(window.as_of), first=first, last=last)
    touched = {
        day
        for label in labels
        if label.verdict == "incident"
        for day in days_between(label.start.date(), label.end.date())
    }
    present = telemetry_days(here, spec.name, version=window.table_version)
    held = {day for day in present if first <= day <= last}
    days = sorted(touched & held - set(without))
    days = fitting(here, spec, days)
    if not days:
        return pd.DataFrame()
    frame = read_telemetry_of(here, spec, days, version=window.table_version)
    judged = [n for n in spec.columns.feature_columns if n not in spec.columns.context_columns]
    if spec.validation.missing_cells:
        frame = frame.dropna(subset=judged, how="all")
    else:
        frame = frame.dropna(subset=list(spec.columns.feature_columns))
    frame = frame.dropna(subset=spec.columns.row_key).reset_index(drop=True)
    frame[LABEL_COLUMN] = verdicts(timeline_from(frame, spec.columns), labels)
    # A verdict that was withdrawn leaves days without an incident.
    day = frame[spec.columns.timestamp].dt.date
    shown: pd.DataFrame = frame[day.isin(set(day[frame[LABEL_COLUMN] == INCIDENT]))]
    return shown.reset_index(drop=True)
