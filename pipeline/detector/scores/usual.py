"""A floor for the usual value of each feature: a tiny divisor would only amplify noise."""

from __future__ import annotations

import torch

_LEAST_SHARE = 0.05


def at_least_a_share(usual: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """`usual`, of shape (n,), raised to 5 % of `mean` where it is less."""
    return torch.maximum(usual, _LEAST_SHARE * mean)
