"""Sections `window`, `split`, `model` and `threshold`: how a candidate is fitted."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Section


class Window(Section):
    """What the model sees at once."""

    length: int = Field(1, ge=1, description="Rows in one model input; 1 scores each row alone.")


class Split(Section):
    """How the rows of a training window are shared out: by blocks of time, each used once."""

    method: Literal["interleaved_days", "contiguous"] = Field(
        "interleaved_days",
        description="Interleaving lets every block see the whole window; contiguous blocks "
        "calibrate on another season than they trained on.",
    )
    training_days: int = Field(90, ge=6, description="Days before the as-of day that are read.")
    minimum_days: int = Field(30, ge=6, description="Fewer validated days than this: refuse.")
    train: int = Field(4, ge=1, description="Parts (days of a cycle) that train.")
    calibration: int = Field(1, ge=1, description="Parts that draw the threshold, nothing else.")
    test: int = Field(1, ge=1, description="Parts that judge the candidate, nothing else.")

    @model_validator(mode="after")
    def _minimum_must_be_reachable(self) -> Self:
        if self.minimum_days > self.training_days:
            msg = (
                f"minimum_days {self.minimum_days} exceeds training_days {self.training_days}; "
                "no window could ever be long enough"
            )
            raise ValueError(msg)
        return self


class DenoisingModel(Section):
    """Ensemble of small denoising autoencoders (`pipeline/detector/models/denoising.py`).

    The defaults were chosen on La Haute Borne, ADBench and SMD together; more width and more steps
    lower the training error and raise the false alarms of later months.
    """

    family: Literal["denoising"] = "denoising"
    members: int = Field(
        8, ge=1, le=64, description="Networks, trained as one batched computation."
    )
    width: int = Field(64, ge=1, le=4096, description="Units in each of the two hidden layers.")
    steps: int = Field(600, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
    batch_rows: int = Field(256, ge=2, description="Rows in one step, drawn anew for each member.")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    weight_decay: float = Field(1e-4, ge=0)
    noise: tuple[float, float] = Field(
        (0.05, 1.0), description="Range of the Gaussian noise, in standard deviations; log-uniform."
    )
    swap: float = Field(
        0.3,
        ge=0,
        le=0.5,
        description="Mean share of a row's features that are swapped for another row's while "
        "training; teaches which features belong together.",
    )
    patience: int = Field(
        10, ge=1, description="Checks of the validation error without gain before stopping."
    )
    error_weighting: Literal["equal", "spread"] = Field(
        "spread",
        description="equal: the score is the mean squared error; spread: each feature is measured "
        "in its own usual error, so that one which is reconstructed well can alarm by itself.",
    )
    error_cap: float | None = Field(
        None, gt=0, description="Soft limit of one feature's error, so that none drowns the rest."
    )
    seed: int = Field(
        42, ge=0, lt=2**63, description="Same seed, same rows, same machine: same weights."
    )


Model = Annotated[DenoisingModel, Field()]


class Threshold(Section):
    """Where the line is drawn on held-out normal scores."""

    method: Literal["conformal", "hill"] = "conformal"
    alpha: float = Field(
        0.01, gt=0, lt=0.5, description="Share of normal rows that may cross the line."
    )
    minimum_rows: int = Field(
        99,
        ge=20,
        description="Calibration rows below which no conformal threshold is drawn; at alpha 0.01 "
        "the order statistic does not exist below 99. What correlated rows are worth shows in the "
        "intervals, and gate.minimum_calibration_rows judges it.",
    )
    small_sample: Literal["refuse", "hill"] = Field(
        "refuse", description="Below minimum_rows: refuse, or a Hill tail marked low-confidence."
    )
