"""Section `fine_tuning`: how a run with `warm_start` trains on from the champion's weights."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import Days, Section


class FineTuning(Section):
    """The rows and the learning rate of a run of the train DAG with `warm_start`."""

    recent_days: Days = Field(
        30, ge=1, description="Newest days of the train block, which the candidate learns."
    )
    replay_days: Days = Field(
        60,
        ge=1,
        description="Older days that are read again, spread evenly over all days that the champion "
        "was trained on, as far as telemetry still holds them.",
    )
    replay_share: float = Field(
        0.7,
        gt=0,
        lt=1,
        description="Share of older rows in the training rows. On wind turbines from one season to "
        "the next the error of old days grew by 8 to 21 %, with half by 26 to 35 %, and without "
        "older rows more than twofold.",
    )
    learning_rate: float = Field(
        5e-4, gt=0, le=1, description="Peak; a quarter of a new training's: weights should move."
    )
    steps: int = Field(200, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
