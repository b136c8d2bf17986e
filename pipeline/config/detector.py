"""One detector: all sections of its file."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.alerting import Incidents, Notify
from pipeline.config.columns import Columns
from pipeline.config.fitting import Split, Window
from pipeline.config.judgement import Drift, Gate
from pipeline.config.model import DenoisingModel, Model
from pipeline.config.operation import Promotion, Schedule
from pipeline.config.score import ReconstructionScore, Score
from pipeline.config.section import Section
from pipeline.config.source import SourceSpec
from pipeline.config.threshold import Threshold
from pipeline.config.upkeep import Housekeeping, Recalibration, Shifts
from pipeline.config.validation import Validation


class DetectorSpec(Section):
    """One thing being watched, as `detectors/<name>.yaml` describes it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Also the file's name.")
    description: str = ""
    source: SourceSpec
    columns: Columns = Field(alias="schema")
    validation: Validation = Validation()
    window: Window = Window()
    split: Split = Split()
    model: Model = DenoisingModel()
    score: Score = ReconstructionScore()
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
