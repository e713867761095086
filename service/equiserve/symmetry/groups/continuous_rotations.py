"""All rotations and reflections of a plane: SO(2) and O(2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import continuous, not_in_group, require_positive
from equiserve.symmetry.groups.linear import GENERATING_TURN
from equiserve.symmetry.groups.rotations import Cyclic, Dihedral, PlaneGroup


class _ContinuousPlaneGroup(PlaneGroup):
    @property
    def order(self) -> None:
        return None

    def parameters(self) -> dict[str, int]:
        return {}

    def elements(self) -> list[Rotation]:
        raise continuous(self)


@dataclass(frozen=True)
class SO2(_ContinuousPlaneGroup):
    """All rotations of the plane."""

    @property
    def name(self) -> str:
        return "SO2"

    def canonical(self, element: Element) -> Rotation:
        if not isinstance(element, Rotation) or element.reflected:
            raise not_in_group(element, self, "a rotation {'angle_deg': number} without reflection")
        return element

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation]:
        return [Rotation(float(angle)) for angle in rng.uniform(0.0, 360.0, size=n)]

    def grid(self, n: int) -> list[Rotation]:
        """Return C_n: every n-th part of the turn. Multiples of 4 include the exact quarter turns."""
        return Cyclic(n).elements()

    def exact_subgroup(self) -> Cyclic:
        return Cyclic(4)

    def generators(self) -> NDArray[np.float64]:
        return self.stacked([GENERATING_TURN])


@dataclass(frozen=True)
class O2(_ContinuousPlaneGroup):
    """All rotations of the plane and its mirror images."""

    @property
    def name(self) -> str:
        return "O2"

    def canonical(self, element: Element) -> Rotation:
        if not isinstance(element, Rotation):
            raise not_in_group(element, self, "{'angle_deg': number, 'reflected': bool}")
        return element

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation]:
        angles, mirrored = rng.uniform(0.0, 360.0, size=n).tolist(), rng.integers(2, size=n).tolist()
        return [Rotation(angle, bool(mirror)) for angle, mirror in zip(angles, mirrored, strict=True)]

    def grid(self, n: int) -> list[Rotation]:
        """Return D_(n/2), half of it rotations; of an odd number the last mirror image is left out."""
        require_positive("n", n)
        return Dihedral(-(-n // 2)).elements()[:n]

    def exact_subgroup(self) -> Dihedral:
        return Dihedral(4)

    def generators(self) -> NDArray[np.float64]:
        return self.stacked([GENERATING_TURN, Rotation(0.0, reflected=True)])
