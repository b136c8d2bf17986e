"""Figures as PNG bytes, each with its finding as the title. No pyplot: nothing global."""

from pipeline.report.figures.drift import drift_distances
from pipeline.report.figures.faults import fault_recall
from pipeline.report.figures.scores import precision_recall, score_distribution, score_timeline
from pipeline.report.figures.training import training_history

__all__ = [
    "drift_distances",
    "fault_recall",
    "precision_recall",
    "score_distribution",
    "score_timeline",
    "training_history",
]
