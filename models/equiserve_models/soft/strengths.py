"""The strengths of the candidates: equal at first, weighed anew once, by how little the network violates each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equiserve_models.soft.network import TypedNetwork
from equiserve_models.soft.tasks import Task

# Epochs before the event in which residuals are collected, and how often.
_WINDOW, _EVERY = 50, 5


class Strengths:
    """lambda of every member and candidate: lambda_0, after the event lambda_0 / (r_c / min r)^k (PER, section 4).

    r_c is the least residual 1/2 |theta - P_c theta|^2 of the 50 epochs before the event, over all layers.

    Args:
        network: The network that is trained.
        task: Its candidates, lambda_0 and k.
        event: Epoch of the event.
        members: Networks side by side.
    """

    def __init__(self, network: TypedNetwork, task: Task, event: int, members: int) -> None:
        self._layout = network.layout
        self._candidates = list(task.candidates.values())
        self._task, self._event = task, event
        self.values = torch.full((members, len(self._candidates)), task.strength)
        self.least = torch.full_like(self.values, torch.inf)
        self.matrices = self._layout.complements(self._candidates, self.values)

    def after_epoch(self, network: TypedNetwork, epoch: int) -> None:
        """Collect residuals before the event, and weigh anew at the event."""
        before = self._event - epoch
        if 0 <= before < _WINDOW and before % _EVERY == 0:
            self.least = torch.minimum(self.least, self.residuals(network))
        if before == 0:
            ratio = self.least / self.least.min(-1, keepdim=True).values
            self._set(self._task.strength / ratio**self._task.power)

    def residuals(self, network: TypedNetwork) -> Tensor:
        """Return R_c, [members, candidates]."""
        return self._layout.residuals(network.effective().detach(), self._candidates)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {"values": self.values, "least": self.least}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.least = state["least"]
        self._set(state["values"])

    def _set(self, values: Tensor) -> None:
        self.values = values
        self.matrices = self._layout.complements(self._candidates, values)
