"""Sections `drift` and `gate`: the limits for the data and for a candidate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Days, Section

FaultName = Literal["spike", "drift", "unit change", "stuck", "swap", "dropout"]
"""A kind of injected fault; `pipeline.evaluation.faults` says what each does."""


class Drift(Section):
    """The Kolmogorov-Smirnov rule: significant AND large, on an effective sample."""

    warn_q: float = Field(0.01, gt=0, lt=1, description="Benjamini-Hochberg q below this counts.")
    warn_distance: float = Field(
        0.1, gt=0, lt=1, description="KS distance that matters: about a quarter sigma of shift."
    )
    alarm_distance: float = Field(
        0.2, gt=0, lt=1, description="KS distance that alarms alone: about half a sigma."
    )
    maximum_rows: int = Field(
        5000, ge=100, description="Rows a side after thinning: more only finds what is irrelevant."
    )
    rolling_days: Days = Field(7, ge=2, description="Days of the rolling verdict.")
    cooldown_days: Days = Field(
        14, ge=1, description="A verdict asks for training or recalibration once in so many days."
    )


class Gate(Section):
    """Limits that a candidate must meet before it may go live."""

    minimum_calibration_rows: int = Field(
        100,
        ge=1,
        description="Effective rows of a confirmed threshold: thousands of raw ones where "
        "neighbours and entities are alike. With 100 the true rate lies between 0.03 and 3.6 %; "
        "with 1,000, 0.5 and 1.7 %. With fewer a version goes live as provisional, and its "
        "threshold is estimated anew each week.",
    )
    maximum_noise_passthrough: float = Field(
        0.8, gt=0, description="Above it the network copies its input: an over-powered model."
    )
    minimum_explained_variance: float = Field(
        0.0, description="Floor on held-out normals: finds broken nets, cannot rank healthy ones."
    )
    maximum_explained_variance_loss: float = Field(
        0.05,
        ge=0,
        description="Explained variance on the same rows may lie so far below that of a champion "
        "of the same family and loss.",
    )
    maximum_error_ratio: float = Field(
        1.25, gt=1, description="Candidate's median error over the champion's on the same rows."
    )
    minimum_rank_agreement: float = Field(
        0.1,
        ge=-1,
        le=1,
        description="Spearman correlation of both scores on the same recent rows. Measured on "
        "turbines and servers: another seed 0.85 or more, retrained 0.63 or more, another family "
        "0.21 or more, a random score at most 0.02.",
    )
    alert_rate_ratio: float = Field(
        3.0,
        gt=1,
        description="Alerts a day against the champion's on the same recent days: at most so many "
        "times as many; a candidate so many times quieter must be seen to catch faults.",
    )
    minimum_fault_recall: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of injected faults that must be caught: of each required kind at the "
        "size of its limit; and what makes a smaller size count as detectable.",
    )
    required_faults: tuple[FaultName, ...] = Field(
        ("spike", "drift", "unit change"),
        description="Kinds held to minimum_fault_recall. The others are reported and compared "
        "with the champion: one row at a time, a frozen or dead sensor can look normal, and "
        "validation watches for it.",
    )
    fault_limits: dict[FaultName, Annotated[float, Field(gt=0)]] = Field(
        {"spike": 6.0, "drift": 6.0, "unit change": 10.0},
        description="Largest size, in the kind's own unit (standard deviations, times, rows), at "
        "which a required kind must be caught; the injected size below it counts. A kind that is "
        "not named here is judged at its largest size. What a contaminated first version misses.",
    )
    maximum_fault_loss: float = Field(
        0.2,
        ge=0,
        le=1,
        description="So much less of the same injected faults, over all sizes of a kind, may be "
        "caught than by the champion; more fails if it is more than chance explains (95 %). Two "
        "sound versions of one plant differ by up to 0.17, one grade of size is 0.12 of spikes.",
    )
    minimum_open_case_recall: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Share of the rows of open cases that the champion flags, without muting, and "
        "a successor must flag as well.",
    )
    minimum_incident_recall: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Past confirmed incidents the champion caught: keep this share.",
    )
    maximum_bundle_mb: float = Field(50.0, gt=0)
    maximum_latency_ms: float = Field(
        1000.0, gt=0, description="To score 1,000 rows, best of three."
    )
