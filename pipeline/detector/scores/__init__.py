"""Kinds of score, by the name that `score.kind` gives. A new one is a file and an entry here."""

from pipeline.detector.scores import memory, reconstruction
from pipeline.detector.scores.score import Parts, Score, ScoreReport, ScoreTrainingData

SCORES: dict[str, Score] = {
    "reconstruction": Score(reconstruction.fit, reconstruction.restore),
    "memory": Score(memory.fit, memory.restore, memory.report),
}

__all__ = ["SCORES", "Parts", "Score", "ScoreReport", "ScoreTrainingData"]
