"""WHAT Plimsoll does: one YAML file a detector, read into frozen pydantic sections.

Light on purpose (pydantic and PyYAML only): DAG files read it while Airflow parses them.
"""

from pipeline.config.calibration import Contexts, Smoothing, Threshold
from pipeline.config.columns import Columns, Feature, PeerDeviation
from pipeline.config.detector import DetectorSpec
from pipeline.config.fitting import FineTuning, Split, Window
from pipeline.config.judgement import Drift, Gate
from pipeline.config.loading import (
    SUFFIX,
    detector_files,
    find_detector,
    load_detector,
    readable_name,
)
from pipeline.config.model import DenoisingModel, Model
from pipeline.config.operation import Incidents, Notify, Promotion, Schedule
from pipeline.config.score import MemoryScore, ReconstructionScore, Score
from pipeline.config.source import (
    CsvSource,
    LaHauteBorneSource,
    ParquetSource,
    SourceSpec,
    SqlSource,
)
from pipeline.config.upkeep import Housekeeping, Recalibration, Shifts
from pipeline.config.validation import Validation

__all__ = [
    "SUFFIX",
    "Columns",
    "Contexts",
    "CsvSource",
    "DenoisingModel",
    "DetectorSpec",
    "Drift",
    "Feature",
    "FineTuning",
    "Gate",
    "Housekeeping",
    "Incidents",
    "LaHauteBorneSource",
    "MemoryScore",
    "Model",
    "Notify",
    "ParquetSource",
    "PeerDeviation",
    "Promotion",
    "Recalibration",
    "ReconstructionScore",
    "Schedule",
    "Score",
    "Shifts",
    "Smoothing",
    "SourceSpec",
    "Split",
    "SqlSource",
    "Threshold",
    "Validation",
    "Window",
    "detector_files",
    "find_detector",
    "load_detector",
    "readable_name",
]
