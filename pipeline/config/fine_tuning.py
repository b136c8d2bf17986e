"""Section `fine_tuning`: how a candidate goes on from the champion's weights when asked to."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import Days, Section


class FineTuning(Section):
    """What a run of the train DAG with `warm_start` learns from, and how gently."""

    recent_days: Days = Field(
        30, ge=1, description="Newest days of the train block: what the candidate is to learn."
    )
    replay_days: Days = Field(
        60,
        ge=1,
        description="Older days that are read again, spread evenly over all that the champion has "
        "learnt from, as far as telemetry still holds them.",
    )
    replay_share: float = Field(
        0.7,
        gt=0,
        lt=1,
        description="Share of older rows in what is learnt. On wind turbines from one season to "
        "the next the error of old days grew by 8 to 21 %, with half by 26 to 35 %, and without "
        "older rows more than twofold.",
    )
    learning_rate: float = Field(
        5e-4, gt=0, le=1, description="Peak; a quarter of a new training's: weights should move."
    )
    steps: int = Field(200, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
