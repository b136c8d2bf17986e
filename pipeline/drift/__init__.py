"""Have the data moved, does it matter, and what should be done about it?

`comparison` asks one series at a time (Kolmogorov-Smirnov on effective rows), `broken` looks for
sensors that died, `diagnosis` names what happened and the one
action, `verdict` selects the rows to test and combines the results.
"""

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.comparison import SCORE, Sample, SeriesTest
from pipeline.drift.result import ACTIONS, Action, DriftResult, DriftVerdict, Kind, Level
from pipeline.drift.verdict import Baseline, baseline, escalated, judge, judge_drift

__all__ = [
    "ACTIONS",
    "SCORE",
    "Action",
    "Baseline",
    "BrokenChannel",
    "DriftResult",
    "DriftVerdict",
    "Kind",
    "Level",
    "Sample",
    "SeriesTest",
    "baseline",
    "escalated",
    "judge",
    "judge_drift",
]
