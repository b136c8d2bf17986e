"""One detector: all sections of its file."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from pipeline.config.calibration import Contexts, Smoothing, Threshold
from pipeline.config.columns import GAP_CADENCES, Columns
from pipeline.config.fitting import FineTuning, Split, Window
from pipeline.config.judgement import Drift, Gate
from pipeline.config.model import DenoisingModel, Model
from pipeline.config.operation import Incidents, Notify, Promotion, Schedule
from pipeline.config.score import ReconstructionScore, Score
from pipeline.config.section import Section
from pipeline.config.shown import named, shown
from pipeline.config.source import SourceSpec
from pipeline.config.upkeep import Housekeeping, Recalibration, Shifts
from pipeline.config.validation import Validation
from pipeline.utc_day import ONE_DAY

_ROUNDING = 1e-9  # 0.3 of 10 features are 3 of them
_FEWEST_CHANNELS = 2  # of a single one nothing says what the others should be

NAME = r"^[a-z][a-z0-9_]{0,62}$"
"""The pattern of a detector's name."""


class DetectorSpec(Section):
    """One detector, as `detectors/<name>.yaml` describes it."""

    name: str = Field(pattern=NAME, description="Also the file's name.")
    description: str = ""
    source: SourceSpec
    columns: Columns = Field(alias="schema")
    validation: Validation = Validation()
    window: Window = Window()
    split: Split = Split()
    model: Model = DenoisingModel()
    fine_tuning: FineTuning = FineTuning()
    score: Score = ReconstructionScore()
    smoothing: Smoothing = Smoothing()
    contexts: Contexts = Contexts()
    threshold: Threshold = Threshold()
    drift: Drift = Drift()
    gate: Gate = Gate()
    schedule: Schedule
    promotion: Promotion = Promotion()
    shifts: Shifts = Shifts()
    incidents: Incidents = Incidents()
    notify: Notify = Notify()
    recalibration: Recalibration = Recalibration()
    housekeeping: Housekeeping = Housekeeping()

    @property
    def minimum_channels(self) -> int:
        """Fewest channels of a row that are fit for use; with fewer it is in quarantine."""
        n, limits = len(self.columns.features), self.validation
        left = n - int(limits.missing_cells * n + _ROUNDING)
        if limits.minimum_channels is not None:
            return max(limits.minimum_channels, left if limits.missing_cells else 1)
        return left if limits.missing_cells else min(n, max(_FEWEST_CHANNELS, -(-n // 2)))

    @model_validator(mode="after")
    def _there_are_as_many_channels_as_a_row_needs(self) -> Self:
        needed, n = self.validation.minimum_channels, len(self.columns.features)
        if needed is not None and needed > n:
            msg = (
                f"validation.minimum_channels is {needed} and schema.features has {n}; every row "
                f"would be in quarantine: set it to {n} or less"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _missing_values_need_a_family_that_accepts_them(self) -> Self:
        share = self.validation.missing_cells
        if share and not self.model.takes_missing:
            msg = (
                f"validation.missing_cells is {share:g} and model.family {self.model.family!r} "
                "accepts no missing values; set model.family to masked, or "
                "validation.missing_cells to 0, where what is missing is a fault of its channel"
            )
            raise ValueError(msg)
        if share and (self.window.derivative or self.window.rolling):
            msg = (
                f"validation.missing_cells is {share:g} and window.derivative or window.rolling is "
                "set: neither exists where a row of the window lacks a value; leave them out, or "
                "set validation.missing_cells to 0"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _a_forest_judges_every_feature(self) -> Self:
        if self.model.family == "isolation_forest" and self.columns.context_columns:
            name = self.columns.context_columns[0]
            msg = (
                f"model.family isolation_forest judges every feature, and {shown(name)} is "
                "context; drop the feature or its context: true, or choose another family"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _residuals_are_measured_together_only_as_squares(self) -> Self:
        joint = getattr(self.score, "error", None) == "mahalanobis"
        if joint and self.model.loss != "mse":
            msg = (
                f"score.error is mahalanobis, which measures squared residuals, and model.loss is "
                f"{self.model.loss}; set model.loss to mse, or score.error to standardised"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _a_window_fits_into_a_day(self) -> Self:
        limit = int(ONE_DAY / self.columns.cadence)
        if self.window.length - 1 > limit:
            msg = (
                f"window.length {self.window.length} reaches {self.window.length - 1:,} rows back, "
                f"a day of this cadence holds {limit:,}, and days are scored one by one; set "
                f"window.length to {limit + 1:,} or less"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _a_row_looks_back_a_day_at_most(self) -> Self:
        back = self.window.length + self.smoothing.rows - 2
        limit = int(ONE_DAY / (GAP_CADENCES * self.columns.cadence))
        if self.smoothing.rows > 1 and back > limit:
            msg = (
                f"smoothing.rows {self.smoothing.rows} with window.length {self.window.length} "
                f"looks back {back:,} rows; a day of this cadence holds {limit:,} for certain, and "
                "days are scored one by one. Lower smoothing.rows"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _contexts_must_exist(self) -> Self:
        features = self.columns.feature_columns
        if self.contexts.by == "entity" and self.columns.entity is None:
            msg = "contexts.by is entity and schema.entity names no column; name it, or use another"
            raise ValueError(msg)
        if self.contexts.column is not None and self.contexts.column not in features:
            msg = (
                f"contexts.column names {shown(self.contexts.column)}, which is no model input; "
                f"choose from {named(features)} (an unjudged one is a feature with context: true)"
            )
            raise ValueError(msg)
        return self
