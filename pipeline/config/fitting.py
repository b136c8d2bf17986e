"""Sections `window`, `split` and `fine_tuning`: the rows from which a candidate learns."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Days, Section

Statistic = Literal["mean", "std", "min", "max"]


class Window(Section):
    """The rows of one model input."""

    length: int = Field(1, ge=1, description="Rows in one model input; 1 scores each row alone.")
    derivative: bool = Field(
        default=False,
        description="Also show and judge how much each feature changes from row to row; needs a "
        "length of 2.",
    )
    rolling: tuple[Statistic, ...] = Field(
        (),
        description="Also show and judge these statistics of each feature over the rows of the "
        "window: mean, std, min, max; needs a length of 2.",
    )

    @model_validator(mode="after")
    def _one_row_has_no_course(self) -> Self:
        wanted = ["derivative"] * self.derivative + ["rolling"] * bool(self.rolling)
        if wanted and self.length == 1:
            msg = (
                f"{' and '.join(wanted)} need windows of at least 2 rows, and length is 1; "
                f"set window.length to 2 or more, or leave {' and '.join(wanted)} out"
            )
            raise ValueError(msg)
        if twice := sorted({name for name in self.rolling if self.rolling.count(name) > 1}):
            msg = f"rolling names {', '.join(twice)} more than once; name each statistic once"
            raise ValueError(msg)
        return self


class Split(Section):
    """How the rows of a training window are split: by blocks of time, each used once."""

    method: Literal["interleaved_days", "contiguous"] = Field(
        "interleaved_days",
        description="Interleaving lets every block see the whole window; contiguous blocks "
        "calibrate on another season than they trained on.",
    )
    training_days: Days = Field(90, ge=6, description="Days before the as-of day that are read.")
    minimum_days: Days = Field(30, ge=6, description="Fewer validated days than this: refuse.")
    train: int = Field(4, ge=1, description="Parts (days of a cycle) that train.")
    calibration: int = Field(
        1, ge=1, description="Parts from which the threshold is estimated, nothing else."
    )
    test: int = Field(
        1, ge=1, description="Parts on which the candidate is evaluated, nothing else."
    )

    @model_validator(mode="after")
    def _minimum_must_be_reachable(self) -> Self:
        if self.minimum_days > self.training_days:
            msg = (
                f"minimum_days {self.minimum_days} exceeds training_days {self.training_days}; "
                "no window could ever be long enough"
            )
            raise ValueError(msg)
        return self


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
