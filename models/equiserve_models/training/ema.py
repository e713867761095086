"""Exponential moving average of a network's weights and buffers."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage:
    """Keeps a copy of a network whose floating state is the moving average of the original's.

    Args:
        network: The network that is being trained.
        decay: Weight of the past in one update; the first updates use (1 + n) / (10 + n) where that is smaller, so
            that the random start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.average = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one more state of the network into the average; integer buffers are copied."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = network.state_dict()
        for name, kept in self.average.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(state[name], 1 - decay)
            else:
                kept.copy_(state[name])
