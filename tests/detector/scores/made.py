"""Training data for a score, from a network that is as simple as a test needs."""

import torch

from pipeline.detector.scores import ScoreTrainingData
from pipeline.detector.scores.losses import SquaredError


def training_data(train, held, *, reconstruct=torch.zeros_like, judged=None, loss=None, window=1):
    features = train.shape[1] // window
    return ScoreTrainingData(
        train=train,
        held=held,
        output=reconstruct(held).unsqueeze(0),
        reconstruct=reconstruct,
        loss=loss or SquaredError(),
        judged=judged or (True,) * features,
        generator=torch.Generator().manual_seed(1),
    )


def normal(rows, features=4, *, seed=0):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))


def scored(module, rows, *, reconstruct=torch.zeros_like):
    made = reconstruct(rows).unsqueeze(0)
    return module(rows, made, made)
