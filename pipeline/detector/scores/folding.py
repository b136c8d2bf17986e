"""Reduction of values for each input of a window to values for each feature."""

from __future__ import annotations

import torch


def mean_of_window(by_input: torch.Tensor, features: int) -> torch.Tensor:
    """Mean over the rows of each window: shape (n, rows * features) to (n, features)."""
    if by_input.shape[1] == features:
        return by_input
    return by_input.reshape(-1, by_input.shape[1] // features, features).mean(dim=1)
