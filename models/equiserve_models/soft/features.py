"""Typed features: direct sums of tensor powers T(p) of the coordinates, the spaces between which weights act.

Within a summand the component is the slow index and the channel the fast one, so that a sum over channels is one
matrix product. T(p) has 3^p components, row-major.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

COORDINATES = 3


@dataclass(frozen=True)
class Summand:
    """``count`` channels of T(``power``).

    Args:
        count: Channels.
        power: p of T(p): 0 scalars, 1 vectors, 2 matrices.
        degree: A scaling by s multiplies these channels by s^degree.
    """

    count: int
    power: int
    degree: int = 0

    @property
    def components(self) -> int:
        """Components of one channel."""
        return COORDINATES**self.power

    @property
    def size(self) -> int:
        """Numbers in all channels."""
        return self.count * self.components


@dataclass(frozen=True)
class FeatureSpace:
    """A direct sum of tensor powers.

    Args:
        summands: In the order in which they lie in a feature vector.
    """

    summands: tuple[Summand, ...]

    @property
    def size(self) -> int:
        """Length of a feature vector."""
        return sum(summand.size for summand in self.summands)

    def slices(self) -> Iterator[tuple[Summand, slice]]:
        """Yield each summand and where it lies."""
        start = 0
        for summand in self.summands:
            yield summand, slice(start, start + summand.size)
            start += summand.size

    def move(self, features: Tensor, matrices: Tensor, factors: Tensor | None = None) -> Tensor:
        """Return rho(g) x for one element a row.

        Args:
            features: [..., N, size].
            matrices: A of each row's element on coordinates, [N, 3, 3]; of a scaling, the identity.
            factors: s of each row's scaling, [N]; None for none.

        Returns:
            [..., N, size].
        """
        moved = []
        for summand, place in self.slices():
            part = features[..., place]
            shape = part.shape
            for axis in range(summand.power):
                after = COORDINATES ** (summand.power - 1 - axis) * summand.count
                folded = part.reshape(*shape[:-1], COORDINATES**axis, COORDINATES, after)
                part = torch.einsum("nij,...najb->...naib", matrices, folded).reshape(shape)
            if factors is not None and summand.degree:
                part = part * factors[:, None] ** summand.degree
            moved.append(part)
        return torch.cat(moved, -1)


def space(scalars: int = 0, vectors: int = 0, matrices: int = 0) -> FeatureSpace:
    """Return scalars, then vectors, then matrices, of degree 0; what is 0 is left out."""
    counts = ((scalars, 0), (vectors, 1), (matrices, 2))
    return FeatureSpace(tuple(Summand(count, power) for count, power in counts if count))
