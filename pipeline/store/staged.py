"""Staged files, which the tasks fetch, validate and write hand to each other, one folder a part.

A folder's name is a hash of the raw rows, so a repeated fetch of the same rows stages the same
files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline import records, staging
from pipeline.config import Columns, DetectorSpec
from pipeline.data.contract import Validated
from pipeline.data.derive import derive
from pipeline.data.fingerprint import fingerprint, row_hashes
from pipeline.data.grid import day_number
from pipeline.data.row_rules import days_of_rows
from pipeline.data.sources.shaping import ABSENT, FILED_DAY, TIME_FAULT
from pipeline.data.verdicts import Report
from pipeline.settings import Deployment
from pipeline.store.quarantine import quarantine_table
from pipeline.store.telemetry import telemetry_table


@dataclass(frozen=True)
class StagedPart:
    """Neighbouring days that are handled at once, and the folder of their staged files."""

    days: tuple[date, ...]
    folder: str


@dataclass(frozen=True)
class Staged:
    """The parts of one ingestion run; small, so that it passes between tasks as JSON."""

    detector: str
    parts: tuple[StagedPart, ...]


@dataclass(frozen=True)
class ValidatedDays:
    """Validated days before they are written.

    Attributes:
        telemetry: accepted rows, as the table `telemetry` holds them.
        quarantine: rejected rows and cells, as the table `quarantine` holds them.
        reports: one for each day.
        fingerprints: hash of each day's raw rows.
    """

    telemetry: pa.Table
    quarantine: pa.Table
    reports: dict[date, Report]
    fingerprints: dict[date, str]


@dataclass(frozen=True)
class _Findings:
    reports: dict[date, Report]


@dataclass(frozen=True)
class _Delivered:
    fingerprints: dict[date, str]


def stage_raw(
    here: Deployment, spec: DetectorSpec, raw: pd.DataFrame, days: tuple[date, ...]
) -> StagedPart:
    """Put the raw rows of `days` into a staging folder."""
    delivered = _Delivered(_fingerprints(raw, days, spec.columns))
    digest = hashlib.sha256("".join(delivered.fingerprints.values()).encode()).hexdigest()[:16]
    folder = f"{folder_of(here, spec.name)}/{days[0]}_{days[-1]}_{digest}"
    staging.write_json(f"{folder}/delivered.json", records.to_json(delivered))
    staging.write_table(f"{folder}/raw.parquet", pa.Table.from_pandas(raw, preserve_index=False))
    return StagedPart(days, folder)


def folder_of(here: Deployment, detector: str) -> str:
    """The folder in which the parts of a detector's ingestion runs are staged."""
    return f"{here.storage.rstrip('/')}/{detector}/staging/ingest"


def raw_rows(part: StagedPart) -> pd.DataFrame:
    """The raw rows of `part`."""
    frame: pd.DataFrame = staging.read_table(f"{part.folder}/raw.parquet").to_pandas()
    return frame


def stage_validated(part: StagedPart, validated: dict[date, Validated], spec: DetectorSpec) -> None:
    """Put derived and rejected rows and the reports beside the raw rows."""
    findings = _Findings({day: v.report for day, v in validated.items()})
    accepted = [v.accepted for v in validated.values() if len(v.accepted)]
    telemetry = derive(pd.concat(accepted, ignore_index=True), spec.columns) if accepted else None
    staging.write_table(
        f"{part.folder}/telemetry.parquet", telemetry_table(telemetry, spec.columns)
    )
    staging.write_table(f"{part.folder}/quarantine.parquet", quarantine_table(validated))
    staging.write_json(f"{part.folder}/findings.json", records.to_json(findings))


def validated_days(part: StagedPart) -> ValidatedDays:
    """Read what `stage_validated` staged."""
    findings = records.from_json(_Findings, staging.read_json(f"{part.folder}/findings.json"))
    delivered = records.from_json(_Delivered, staging.read_json(f"{part.folder}/delivered.json"))
    return ValidatedDays(
        telemetry=staging.read_table(f"{part.folder}/telemetry.parquet"),
        quarantine=staging.read_table(f"{part.folder}/quarantine.parquet"),
        reports=findings.reports,
        fingerprints=delivered.fingerprints,
    )


def _fingerprints(raw: pd.DataFrame, days: tuple[date, ...], columns: Columns) -> dict[date, str]:
    """The fingerprint of each day's raw rows."""
    content = raw.drop(columns=[TIME_FAULT, FILED_DAY, ABSENT], errors="ignore")
    hashes = row_hashes(content, names=[columns.entity or ""])
    number = days_of_rows(raw, columns.timestamp)
    return {
        day: fingerprint(hashes[np.equal(number, day_number(day))], map(str, content.columns))
        for day in days
    }
