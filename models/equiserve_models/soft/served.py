"""The regressors as they are served: named tensors in physical units in, named tensors out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equiserve_models.soft import inertia, walking


class ServedInertia(nn.Module):
    """Five masses and positions to an inertia tensor.

    Args:
        network: Between typed features.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, masses: Tensor, positions: Tensor) -> Tensor:
        """Masses [B, 5] in kg and positions [B, 5, 3] in m -> inertia [B, 3, 3] in kg m^2."""
        return self.network(inertia.features(masses, positions)).unflatten(-1, (3, 3))


class ServedWalking(nn.Module):
    """Four frames of 31 joints to where the joints are 8 frames later.

    Args:
        network: Between typed features; corrects `walking.carried_on`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, earlier: Tensor, present: Tensor) -> Tensor:
        """Earlier [B, 3, 31, 3] (oldest first) and present [B, 31, 3] -> future [B, 31, 3], all in m."""
        source = walking.features(torch.cat([earlier, present[:, None]], 1))
        way = self.network(source) + walking.carried_on(source)
        return present + way.unflatten(-1, (3, walking.JOINTS)).transpose(-1, -2) / walking.SCALE
