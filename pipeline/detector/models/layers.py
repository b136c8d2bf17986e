"""Fully connected layers of several networks at once: one batched product instead of many small."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

SMALL_GAIN = 0.1
"""Gain of a last layer that starts small: the output of an untrained network is the mean row."""

_WITH_MEMBERS = 3


class BatchedLayers(nn.Module):
    """sizes[0] - sizes[1] - ... with ReLU between, for `members` networks that share nothing.

    Attributes:
        weights: of each layer, shape (members, in, out).
        biases: of each layer, shape (members, 1, out).
    """

    def __init__(
        self,
        members: int,
        sizes: Sequence[int],
        generator: torch.Generator,
        *,
        last_gain: float = 1.0,
    ) -> None:
        super().__init__()
        gains = [1.0] * (len(sizes) - 2) + [last_gain]
        shapes = list(zip(sizes, sizes[1:], gains, strict=False))
        self.weights = nn.ParameterList(
            torch.randn(members, n_in, n_out, generator=generator)
            * (gain * math.sqrt(2 / n_in))  # He et al., ICCV 2015
            for n_in, n_out, gain in shapes
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, n_out) for _, n_out, _ in shapes)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Output of each member for (n, in) or (members, n, in), shape (members, n, out)."""
        if torch.onnx.is_in_onnx_export():
            # onnxruntime multiplies one member after another faster than all in one batch.
            return torch.stack([self._alone(rows, n) for n in range(len(self.weights[0]))])
        hidden = rows.expand(len(self.weights[0]), -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = nn.functional.relu(hidden)
            hidden = torch.baddbmm(bias, hidden, weight)
        return hidden

    def _alone(self, rows: torch.Tensor, member: int) -> torch.Tensor:
        """Output of one member for (n, in), or for its own part of (members, n, in)."""
        hidden = rows[member] if rows.dim() == _WITH_MEMBERS else rows
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = nn.functional.relu(hidden)
            hidden = torch.addmm(bias[member, 0], hidden, weight[member])
        return hidden
