"""Kinds of score, by the name that `score.kind` gives. A new one is a file and a line here."""

from pipeline.detector.scores import reconstruction
from pipeline.detector.scores.score import Evidence, Parts, Score

SCORES: dict[str, Score] = {
    "reconstruction": Score(reconstruction.fit, reconstruction.restore),
}

__all__ = ["SCORES", "Evidence", "Parts", "Score"]
