"""The methods that are compared: what network is built, and what its loss is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from equiserve_models.soft.candidates import Candidate
from equiserve_models.soft.network import PlainNetwork, TypedNetwork
from equiserve_models.soft.projection import quadratic_form
from equiserve_models.soft.strengths import Strengths
from equiserve_models.soft.tasks import Task

# |w|^2 of the swish residual, as in the paper's code.
_SWISH_DECAY = 1.0
# Weight of the free part of the residual pathway, 1/2 |theta_free|^2.
_FREE_DECAY = 0.1
# Weight of the loss on moved samples (REMUL, arXiv 2410.17878).
_MOVED = 1.0
Group = Literal["largest", "true"]


@dataclass(frozen=True)
class Method:
    """A way to train.

    Args:
        title: What tables call it.
        form: ``plain`` or a form of `TypedNetwork`.
        group: What an exact network or a residual pathway is constrained to.
        moved: Of which group a random element moves each sample of a step.
        beside: Whether the moved samples come beside the others (REMUL) or in their place (augmentation).
        by_residuals: Whether a soft network's strengths are weighed as in the paper on every task.
    """

    title: str
    form: Literal["plain", "soft", "exact", "residual"]
    group: Group | None = None
    moved: Group | None = None
    beside: bool = False
    by_residuals: bool = False

    def build(self, task: Task, members: int) -> nn.Module:
        """Return networks with random weights."""
        if self.form == "plain":
            return PlainNetwork(task.source, task.target, task.plain_width, 3, members)
        group = group_of(task, self.group or "largest")
        return TypedNetwork(task.source, task.target, task.width, 3, members, self.form, group)

    def loss(
        self, network: nn.Module, task: Task, source: Tensor, target: Tensor, strengths: Strengths | None, g: Generator
    ) -> Tensor:
        """Return the loss of a batch, summed over the members: [S, B, source], [S, B, target] -> scalar."""
        copies = []
        if self.moved is None or self.beside:
            copies.append((source, target, 1.0))
        if self.moved is not None:
            matrices, factors = group_of(task, self.moved).draw(source.shape[1], _seed(g))
            moved = (task.source.move(source, matrices, factors), task.target.move(target, matrices, factors))
            copies.append((*moved, _MOVED))
        loss = torch.zeros(())
        for x, y, weight in copies:
            loss = loss + weight * (predict(network, task, x) - y).square().mean((-2, -1)).sum()
        own = task.plain_decay if self.form == "plain" else task.decay
        for parameter in network.parameters():
            if parameter.ndim > 1 and parameter is not getattr(network, "swish", None):
                decay = _FREE_DECAY if parameter is getattr(network, "free", None) else own
                loss = loss + decay * 0.5 * parameter.square().sum()
        if isinstance(network, TypedNetwork):
            if network.form != "exact":
                loss = loss + _SWISH_DECAY * network.swish.square().sum()
            if strengths is not None:
                loss = loss + quadratic_form(network.weights, network.layout, strengths.matrices).sum()
        return loss


METHODS: Mapping[str, Method] = {
    "plain": Method("plain network", "plain"),
    "augmented": Method("augmented, true group", "plain", moved="true"),
    "augmented-largest": Method("augmented, largest group", "plain", moved="largest"),
    "remul": Method("REMUL, true group", "plain", moved="true", beside=True),
    "remul-largest": Method("REMUL, largest group", "plain", moved="largest", beside=True),
    "exact-largest": Method("exact, largest group", "exact", group="largest"),
    "exact-true": Method("exact, true group", "exact", group="true"),
    "residual": Method("residual pathway, largest group", "residual", group="largest"),
    "soft": Method("soft", "soft"),
    "soft-paper": Method("soft, weighed as in the paper", "soft", by_residuals=True),
}


def group_of(task: Task, group: Group) -> Candidate:
    """Return a task's largest or true group."""
    return task.largest if group == "largest" else task.true


def predict(network: nn.Module, task: Task, source: Tensor) -> Tensor:
    """Return the answer to typed features, as typed features."""
    answer = network(source)
    return answer if task.base is None else answer + task.base(source)


def _seed(generator: Generator) -> int:
    return int(torch.randint(2**31, (), generator=generator))
