"""Muon: steps along the orthogonalised momentum of each weight matrix, which few epochs go further with.

Source: K. Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the scale of a step after Liu
et al. 2025, arXiv 2502.16982, so that one learning rate serves this and AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

MOMENTUM = 0.95
ROUNDS = 5
# Root mean square of a step at learning rate 1.
STEP = 0.3
# Smaller ones (depth-wise kernels, the head, positions) are left to AdamW.
SMALLEST_SIDE = 16


def suits(parameter: Tensor) -> bool:
    """Return whether a parameter, as a matrix of its first axis by all others, is worth orthogonalising."""
    return parameter.ndim > 1 and min(parameter.shape[0], parameter[0].numel()) >= SMALLEST_SIDE


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return a matrix with the same singular vectors whose singular values are near 1 (0.7 to 1.2).

    Args:
        matrix: float32 [rows, columns].
    """
    x = matrix / (matrix.norm() + 1e-7)
    wide = x if x.shape[0] <= x.shape[1] else x.T
    for _ in range(ROUNDS):
        # Newton and Schulz's iteration with the quintic polynomial of the source.
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    return wide if x.shape[0] <= x.shape[1] else wide.T


class Muon(Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay.

    Args:
        parameters: Weights of linear maps and convolutions, [outputs, ...] (`suits`).
        lr: Learning rate.
        weight_decay: As AdamW's.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(list(parameters), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].mul_(MOMENTUM).add_(gradient)
                direction = orthogonalised(gradient.add(momentum, alpha=MOMENTUM).flatten(1))
                # An orthogonal matrix has root mean square 1 / sqrt(its longer side).
                scale = STEP * max(direction.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * scale)
