"""What a model family is: two functions. The contract suite in tests/contracts holds it to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Build = Callable[[Any, int, torch.Generator], nn.Module]
"""(settings, inputs, random source) -> an ensemble.

Its `forward` takes scaled rows of shape (n, inputs), or (members, n, inputs) to give each member
its own, and returns what each member makes of them: (members, n, inputs). Every weight's first
axis is the member, so that all members are one batched computation.
"""

Corrupt = Callable[[Any, torch.Tensor, torch.Generator], torch.Tensor]
"""(settings, clean rows, random source) -> what training shows the network instead; same shape."""


@dataclass(frozen=True)
class Family:
    """A way to reconstruct normal rows. Trained and scored by the same loss: squared error."""

    build: Build
    corrupt: Corrupt
