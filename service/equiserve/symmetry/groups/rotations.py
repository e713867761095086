"""Finitely many rotations and reflections of a plane: Flip, C_n and D_n."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import not_in_group, require_positive
from equiserve.symmetry.groups.linear import LinearGroup

FLIP_AXES = ("left_right", "up_down")

# Angles of a finite group are written with nine decimals; anything within this of one is that one.
_ANGLE_TOLERANCE_DEG = 1e-6


def _product(g: Rotation, h: Rotation) -> Rotation:
    # R_a S^s R_b S^t = R_(a + (-1)^s b) S^(s+t), because S R_b S = R_-b.
    angle = g.angle_deg - h.angle_deg if g.reflected else g.angle_deg + h.angle_deg
    return Rotation(angle, g.reflected != h.reflected)


class PlaneGroup(LinearGroup[Rotation]):
    """What the subgroups of O(2) share; as matrices they act on (x, y) with x to the right and y **up**."""

    @property
    def dim(self) -> int:
        return 2

    @property
    def identity(self) -> Rotation:
        return Rotation(0.0)

    def compose(self, g: Rotation, h: Rotation) -> Rotation:
        return self.canonical(_product(g, h))

    def inverse(self, g: Rotation) -> Rotation:
        return g if g.reflected else self.canonical(Rotation(-g.angle_deg))

    def distance(self, g: Rotation, h: Rotation) -> float:
        """Return the angle between two elements in degrees; 180 between a rotation and a reflection."""
        if g.reflected != h.reflected:
            return 180.0
        apart = abs(g.angle_deg - h.angle_deg)
        return min(apart, 360.0 - apart)

    def matrix(self, g: Rotation) -> NDArray[np.float64]:
        quarters = g.angle_deg / 90
        # Quarter turns have no rounding: they permute coordinates.
        exact = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
        angle = math.radians(g.angle_deg)
        cos, sin = exact[int(quarters)] if quarters == int(quarters) else (math.cos(angle), math.sin(angle))
        mirror = -1.0 if g.reflected else 1.0
        return np.array([[cos * mirror, -sin], [sin * mirror, cos]]) + 0.0

    def describe(self, g: Rotation) -> str:
        if g.reflected and g.angle_deg in (0.0, 180.0):
            return "a left-right flip" if g.angle_deg == 0.0 else "an up-down flip"
        anticlockwise = g.angle_deg <= 180.0
        degrees = g.angle_deg if anticlockwise else 360.0 - g.angle_deg
        direction = "" if degrees in (0.0, 180.0) else " counter-clockwise" if anticlockwise else " clockwise"
        turn = f"a rotation by {round(degrees, 3):g} degrees{direction}"
        return f"a left-right flip and then {turn}" if g.reflected else turn


class _FinitePlaneGroup(PlaneGroup):
    @property
    @abstractmethod
    def order(self) -> int: ...

    def canonical(self, element: Element) -> Rotation:
        if isinstance(element, Rotation):
            for known in self._near(element):
                if self.distance(known, element) < _ANGLE_TOLERANCE_DEG:
                    return known
        raise not_in_group(element, self, f"one of its {self.order} elements")

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation]:
        return [self._at(k) for k in rng.integers(self.order, size=n).tolist()]

    def grid(self, n: int) -> list[Rotation]:
        if n >= self.order:
            return self.elements()
        require_positive("n", n)
        return [self._at(k * self.order // n) for k in range(n)]

    @abstractmethod
    def _at(self, k: int) -> Rotation:
        """Return ``elements()[k]``, without the others: there may be a million of them."""

    def _near(self, element: Rotation) -> list[Rotation]:
        return self.elements()


@dataclass(frozen=True)
class Flip(_FinitePlaneGroup):
    """Mirror images along the named axes; both together include the half turn.

    Args:
        axes: Any of ``left_right`` and ``up_down``.
    """

    axes: Sequence[str] = FLIP_AXES

    def __post_init__(self) -> None:
        if not isinstance(self.axes, list | tuple) or not self.axes or any(a not in FLIP_AXES for a in self.axes):
            raise InvalidRequest(f"axes: got {self.axes!r}, expected a list of any of {FLIP_AXES}", field="axes")
        object.__setattr__(self, "axes", tuple(axis for axis in FLIP_AXES if axis in self.axes))

    @property
    def name(self) -> str:
        return "Flip" if self.axes == FLIP_AXES else f"Flip:{self.axes[0]}"

    @property
    def order(self) -> int:
        return 2 * len(self.axes)  # 2 or 4: both mirrors also make the half turn

    def parameters(self) -> dict[str, list[str]]:
        return {"axes": list(self.axes)}

    def elements(self) -> list[Rotation]:
        mirrors = [Rotation(0.0 if axis == "left_right" else 180.0, reflected=True) for axis in self.axes]
        return [self.identity, *mirrors] + ([Rotation(180.0)] if len(mirrors) == 2 else [])

    def generators(self) -> NDArray[np.float64]:
        return self.stacked(self.elements()[1:])

    def _at(self, k: int) -> Rotation:
        return self.elements()[k]


@dataclass(frozen=True)
class Cyclic(_FinitePlaneGroup):
    """C_n: the rotations by multiples of 360/n degrees.

    Args:
        n: Number of rotations. 1, 2 and 4 permute pixels; other n need resampling in between.
    """

    n: int

    def __post_init__(self) -> None:
        require_positive("n", self.n)

    @property
    def name(self) -> str:
        return f"C{self.n}"

    @property
    def order(self) -> int:
        return self.n

    def parameters(self) -> dict[str, int]:
        return {"n": self.n}

    def elements(self) -> list[Rotation]:
        return [self._at(k) for k in range(self.n)]

    def generators(self) -> NDArray[np.float64]:
        return self.stacked([self._at(1)])

    def _at(self, k: int) -> Rotation:
        return _nth_turn(k, self.n)

    def exact_subgroup(self) -> Cyclic:
        return Cyclic(math.gcd(self.n, 4))

    def _near(self, element: Rotation) -> list[Rotation]:
        return [_nth_turn(round(element.angle_deg * self.n / 360.0), self.n)]


@dataclass(frozen=True)
class Dihedral(_FinitePlaneGroup):
    """D_n, of order 2n: the rotations of C_n, and each of them after a left-right flip.

    Args:
        n: Number of rotations.
    """

    n: int

    def __post_init__(self) -> None:
        require_positive("n", self.n)

    @property
    def name(self) -> str:
        return f"D{self.n}"

    @property
    def order(self) -> int:
        return 2 * self.n

    def parameters(self) -> dict[str, int]:
        return {"n": self.n}

    def elements(self) -> list[Rotation]:
        return [self._at(k) for k in range(self.order)]

    def generators(self) -> NDArray[np.float64]:
        return self.stacked([_nth_turn(1, self.n), Rotation(0.0, reflected=True)])

    def _at(self, k: int) -> Rotation:
        return _nth_turn(k, self.n, reflected=k >= self.n)

    def exact_subgroup(self) -> Dihedral:
        return Dihedral(math.gcd(self.n, 4))

    def _near(self, element: Rotation) -> list[Rotation]:
        return [_nth_turn(round(element.angle_deg * self.n / 360.0), self.n, element.reflected)]


def _nth_turn(k: int, n: int, reflected: bool = False) -> Rotation:
    return Rotation(360.0 * (k % n) / n, reflected)
