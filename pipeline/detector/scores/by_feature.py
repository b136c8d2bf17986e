"""Steps that several scores share, on values by feature: a soft limit, a mean, a least divisor."""

from __future__ import annotations

import torch

_LEAST_SHARE = 0.05


def softly_capped(error: torch.Tensor, cap: float | None) -> torch.Tensor:
    """Errors e >= 0 as c log(1 + e / c): like e below the cap c, slower above. None: no limit."""
    return error if cap is None else cap * torch.log(1 + error / cap)


def mean_of_window(by_input: torch.Tensor, features: int) -> torch.Tensor:
    """Mean over the rows of each window: shape (n, rows * features) to (n, features)."""
    if by_input.shape[1] == features:
        return by_input
    return by_input.reshape(-1, by_input.shape[1] // features, features).mean(dim=1)


def at_least_a_share(usual: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """`usual`, of shape (n,), raised to 5 % of `mean` where it is less."""
    return torch.maximum(usual, _LEAST_SHARE * mean)
