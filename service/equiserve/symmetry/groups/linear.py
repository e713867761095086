"""Groups that act linearly on coordinates: what representations and equivariant maps are computed from."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.elements import Rotation
from equiserve.symmetry.groups.group import E, Group

# Half a radian is no rational part of a turn: its powers fill the circle, and they still tell frequencies up to 12
# apart well.
GENERATING_RADIANS = 0.5
GENERATING_TURN = Rotation(math.degrees(GENERATING_RADIANS))


class LinearGroup(Group[E], Generic[E]):
    """A group whose elements act on coordinates as p -> A p + t: matrices, and translations where it has any.

    Vectors and all other tensors transform by A alone, only points by t too.
    """

    @property
    @abstractmethod
    def dim(self) -> int:
        """The number of coordinates."""

    @abstractmethod
    def matrix(self, g: E) -> NDArray[np.float64]:
        """Return A, [dim, dim]; a homomorphism."""

    def translation(self, g: E) -> NDArray[np.float64]:
        """Return t, [dim]; zeros for a group that keeps the origin."""
        return np.zeros(self.dim)

    @abstractmethod
    def generators(self) -> NDArray[np.float64]:
        """Return matrices [k, dim, dim] of which every other is a product or a limit of products.

        A linear map commutes with the whole group exactly where it commutes with these. A one-parameter subgroup is
        represented by one element of infinite order.
        """

    def stacked(self, elements: Sequence[Any]) -> NDArray[np.float64]:
        """Return the matrices of some elements, [k, dim, dim], also for k = 0."""
        return np.array([self.matrix(g) for g in elements]).reshape(-1, self.dim, self.dim)
