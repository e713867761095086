"""The mean cosine similarity of three vectors, and terms that break its symmetries: a task whose truth is known.

The base is invariant under rotations and under scalings. The mean radius breaks scalings; the ratio of 1-norms breaks
rotations; together they break both.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from equiserve_models.soft.features import FeatureSpace, Summand

VECTORS = 3
# The vectors, which a scaling multiplies; their directions and their shares of the common length, which it keeps. No
# linear map takes the first to what a scaling keeps: without the others only constants would be invariant, and without
# the shares nothing that asks which vector is the longer one.
SOURCE = FeatureSpace((Summand(VECTORS, 1, degree=1), Summand(VECTORS, 1), Summand(VECTORS, 1)))
TARGET = FeatureSpace((Summand(1, 0),))
_SMALLEST = 1e-6


def features(vectors: Tensor) -> Tensor:
    """Vectors [..., N, 3, 3] (vector, coordinate) -> typed features [..., N, 27]."""
    lengths = vectors.norm(dim=-1, keepdim=True)
    directions = vectors / lengths.clamp_min(_SMALLEST)
    shares = vectors / lengths.square().mean(-2, keepdim=True).sqrt().clamp_min(_SMALLEST)
    return torch.cat([part.transpose(-1, -2).flatten(-2) for part in (vectors, directions, shares)], -1)


def draw(n: int, seed: int) -> Tensor:
    """Return normal vectors [n, 3, 3], float32."""
    return torch.randn(n, VECTORS, 3, generator=Generator().manual_seed(seed))


def truth(source: Tensor, radius: float, ratio: float) -> Tensor:
    """Return the mean cosine - radius * mean radius - ratio * |first half|_1 / |second half|_1.

    Args:
        source: Typed features [..., N, 27].
        radius: Strength of the term that breaks scalings.
        ratio: Strength of the term that breaks rotations; the halves are those of the nine numbers, 4 and 5.

    Returns:
        [..., N, 1].
    """
    vectors = source[..., : 3 * VECTORS].unflatten(-1, (3, VECTORS)).transpose(-1, -2)
    directions = source[..., 3 * VECTORS : 6 * VECTORS].unflatten(-1, (3, VECTORS)).transpose(-1, -2)
    cosines = (directions * directions.roll(1, -2)).sum(-1).mean(-1)
    numbers = vectors.flatten(-2).abs()
    quotient = numbers[..., :4].sum(-1) / numbers[..., 4:].sum(-1)
    return (cosines - radius * vectors.norm(dim=-1).mean(-1) - ratio * quotient)[..., None]
