"""The strengths of the candidates: equal at first, then weighed anew by how little the network violates each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equiserve_models.soft.network import TypedNetwork
from equiserve_models.soft.tasks import Task

# Epochs before an event in which violations are collected, and how often.
_WINDOW, _EVERY = 50, 5
#: Relative equivariance error that counts as none: a network of minutes does not come closer to what holds.
HOLDS = 0.01
# What every candidate's error is taken for before one was measured.
_PRESUMED = 0.1


class Strengths:
    """lambda of every member and candidate, weighed anew once: lambda_0 / (r_c / min r)^k (PER, section 4).

    r_c is the least residual 1/2 |theta - P_c theta|^2 over all layers in the 50 epochs before the event.

    With `errors` (ours) the measured equivariance errors e_c take the residuals' place: residuals of groups that act on
    different features do not compare. Then lambda_c = `Task.enforced` (`HOLDS` / e_c)^k, as if every e_c were
    `_PRESUMED` at first; there are two events, a quarter of the training apart: what holds is enforced harder once it
    shows, what does not is let go, however many there are of either.

    Args:
        network: The network that is trained.
        task: Its candidates, strengths and k.
        event: Epoch of the event.
        members: Networks side by side.
        errors: Network -> e of every member and candidate, [members, candidates].
    """

    def __init__(
        self,
        network: TypedNetwork,
        task: Task,
        event: int,
        members: int,
        errors: Callable[[TypedNetwork], Tensor] | None = None,
    ) -> None:
        self._layout = network.layout
        self._candidates = list(task.candidates.values())
        self._errors = errors
        self._strength, self._power = task.strength, task.power
        self._events = (event,) if errors is None else (event, 2 * event)
        first = self._strength
        if errors is not None:
            assert task.enforced is not None
            self._strength, self._power = task.enforced, task.enforced_power
            first = self._strength * (HOLDS / _PRESUMED) ** self._power
        self.values = torch.full((members, len(self._candidates)), first)
        self.least = torch.full_like(self.values, torch.inf)
        self.matrices = self._layout.complements(self._candidates, self.values)

    def after_epoch(self, network: TypedNetwork, epoch: int) -> None:
        """Collect violations before an event, and weigh anew at the event."""
        before = min((event - epoch for event in self._events if event >= epoch), default=_WINDOW)
        if before < _WINDOW and before % _EVERY == 0:
            found = self.residuals(network) if self._errors is None else self._errors(network)
            begins = before + _EVERY >= min(_WINDOW, self._events[0])
            self.least = found if begins else torch.minimum(self.least, found)
        if before == 0:
            unit = self.least.min(-1, keepdim=True).values if self._errors is None else HOLDS
            self._set(self._strength / (self.least / unit).clamp_min(1.0) ** self._power)

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
