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
    minimum_channels: int | None = Field(
        None,
        ge=1,
        description="Fewest channels of a row that are fit for use. A stuck, silent or impossible "
        "sensor costs its own cells: they are missing values, and the row is scored with what the "
        "network expects of them. With fewer channels the row is in quarantine, as the network "
        "knows those that are missing by the others. Default: half of the channels and at least "
        "two, or all that `missing_cells` leaves where it is above 0.",
    )
    missing_cells: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of a row's features that may be missing without being a fault; above "
        "it the row is in quarantine. What is missing stays missing and is never filled in, in "
        "training and in scores, so that above 0 it needs model.family: masked.",
    )
    cadence_tolerance: float = Field(
        0.0,
        ge=0,
        lt=0.5,
        description="How far a timestamp may lie off the cadence grid, as a share of the cadence; "
        "0 means exactly on it.",
    )
