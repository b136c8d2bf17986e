"""Section `validation`: the limits for rows (quarantine) and for whole partitions (blocked)."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import Section


class Validation(Section):
    """Limits of the data contract for one partition (one UTC day)."""

    minimum_completeness: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Delivered share of expected rows (entities x steps) below which the day is "
        "blocked: a threshold of 1 in 100 means nothing on a day that is mostly absent.",
    )
    maximum_rejected: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of delivered rows in quarantine above which the day is blocked: so many "
        "bad rows are a fault of the source, not of the rows.",
    )
    missing_cells: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of a row's features that may be missing; above it the row is in "
        "quarantine. What is missing stays missing and is never filled in, so that above 0 it "
        "needs model.family: masked.",
    )
    cadence_tolerance: float = Field(
        0.0,
        ge=0,
        lt=0.5,
        description="How far a timestamp may lie off the cadence grid, as a share of the cadence; "
        "0 means exactly on it.",
    )
