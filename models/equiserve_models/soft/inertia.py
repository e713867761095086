"""The inertia tensor of five point masses, and what breaks its symmetry: a task whose truth is known.

J = sum_i m_i (|r_i|^2 1 - r_i r_i^T) is equivariant under O(3). The target is J (1 + D) with D diagonal: D = 0 keeps
O(3), D = a e_z e_z^T keeps O(2) about z, D with three different entries keeps the mirror images along the axes only.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from equiserve_models.soft.features import FeatureSpace, Summand, space

POINTS = 5
SOURCE = space(scalars=POINTS, vectors=POINTS)
TARGET = FeatureSpace((Summand(1, 2),))


def features(masses: Tensor, positions: Tensor) -> Tensor:
    """Masses [..., N, 5] and positions [..., N, 5, 3] -> typed features [..., N, 20]."""
    return torch.cat([masses, positions.transpose(-1, -2).flatten(-2)], -1)


def draw(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return masses [n, 5] (softplus of normal) and positions [n, 5, 3] (normal), float32."""
    generator = Generator().manual_seed(seed)
    masses = softplus(torch.randn(n, POINTS, generator=generator))
    return masses, torch.randn(n, POINTS, 3, generator=generator)


def truth(source: Tensor, diagonal: tuple[float, float, float]) -> Tensor:
    """Return J (1 + diag(diagonal)) of typed features: [..., N, 20] -> [..., N, 9], row-major."""
    masses = source[..., :POINTS]
    positions = source[..., POINTS:].unflatten(-1, (3, POINTS))
    weighted = masses[..., None, :] * positions
    outer = weighted @ positions.transpose(-1, -2)
    trace = outer.diagonal(dim1=-2, dim2=-1).sum(-1)
    inertia = trace[..., None, None] * torch.eye(3) - outer
    return (inertia * (1 + torch.tensor(diagonal))).flatten(-2)
