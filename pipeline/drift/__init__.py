"""Have the data moved, does it matter, and what should be done about it?

`comparison` asks one series at a time (Kolmogorov-Smirnov on effective rows), `broken` looks for
sensors that died, `repairs` for a sign, a scale, a clock or two columns that were changed,
`diagnosis` names what happened and the one action, `verdict` selects the rows to test and combines
the results, `accepted` and `carriers` say what carries a rise of the score.
"""

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.carriers import Carriers
from pipeline.drift.comparison import ACCEPTED, SCORE, Sample, SeriesTest
from pipeline.drift.diagnosis import accepted_test
from pipeline.drift.result import ACTIONS, Action, DriftResult, DriftVerdict, Kind, Level
from pipeline.drift.verdict import Baseline, baseline, escalated, judge, judge_drift

__all__ = [
    "ACCEPTED",
    "ACTIONS",
    "SCORE",
    "Action",
    "Baseline",
    "BrokenChannel",
    "Carriers",
    "DriftResult",
    "DriftVerdict",
    "Kind",
    "Level",
    "Sample",
    "SeriesTest",
    "accepted_test",
    "baseline",
    "escalated",
    "judge",
    "judge_drift",
]
