"""A soft limit on errors, so that one extreme sensor does not dominate the row."""

from __future__ import annotations

import torch


def softly_capped(error: torch.Tensor, cap: float | None) -> torch.Tensor:
    """Errors e >= 0 as c log(1 + e / c): like e below the cap c, slower above. None: no limit."""
    return error if cap is None else cap * torch.log(1 + error / cap)
