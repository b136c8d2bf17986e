"""Have the data moved, does it matter, and what should be done about it?

`comparison` asks one series at a time (Kolmogorov-Smirnov on effective rows), `broken` looks for
sensors that died, `verdict` puts both together and names the one action.
"""

from pipeline.drift.broken import BrokenChannel
from pipeline.drift.comparison import SCORE, Comparison, Sample
from pipeline.drift.verdict import (
    ACTIONS,
    Action,
    DriftResult,
    DriftVerdict,
    Kind,
    judge_drift,
)

__all__ = [
    "ACTIONS",
    "SCORE",
    "Action",
    "BrokenChannel",
    "Comparison",
    "DriftResult",
    "DriftVerdict",
    "Kind",
    "Sample",
    "judge_drift",
]
