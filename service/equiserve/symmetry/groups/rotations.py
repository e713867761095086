"""Rotations and reflections of the picture plane: Flip, C_n, D_n and SO(2), all inside O(2)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import Group, draw, not_in_group, require_positive

FLIP_AXES = ("left_right", "up_down")

# Angles of a finite group are written with nine decimals; anything within this of one is that one.
_ANGLE_TOLERANCE_DEG = 1e-6


def _product(g: Rotation, h: Rotation) -> Rotation:
    # R_a S^s R_b S^t = R_(a + (-1)^s b) S^(s+t), because S R_b S = R_-b.
    angle = g.angle_deg - h.angle_deg if g.reflected else g.angle_deg + h.angle_deg
    return Rotation(angle, g.reflected != h.reflected)


class _PlaneGroup(Group[Rotation]):
    """What the subgroups of O(2) share."""

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

    def describe(self, g: Rotation) -> str:
        if g.reflected and g.angle_deg in (0.0, 180.0):
            return "a left-right flip" if g.angle_deg == 0.0 else "an up-down flip"
        anticlockwise = g.angle_deg <= 180.0
        degrees = g.angle_deg if anticlockwise else 360.0 - g.angle_deg
        direction = "" if degrees in (0.0, 180.0) else " counter-clockwise" if anticlockwise else " clockwise"
        turn = f"a rotation by {round(degrees, 3):g} degrees{direction}"
        return f"a left-right flip and then {turn}" if g.reflected else turn


class _FinitePlaneGroup(_PlaneGroup):
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
        return draw(self.elements(), rng, n)

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
        return [_nth_turn(k, self.n) for k in range(self.n)]

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
        return [_nth_turn(k, self.n, reflected) for reflected in (False, True) for k in range(self.n)]

    def _near(self, element: Rotation) -> list[Rotation]:
        return [_nth_turn(round(element.angle_deg * self.n / 360.0), self.n, element.reflected)]


@dataclass(frozen=True)
class SO2(_PlaneGroup):
    """All rotations of the plane."""

    @property
    def name(self) -> str:
        return "SO2"

    @property
    def order(self) -> None:
        return None

    def parameters(self) -> dict[str, int]:
        return {}

    def canonical(self, element: Element) -> Rotation:
        if not isinstance(element, Rotation) or element.reflected:
            raise not_in_group(element, self, "a rotation {'angle_deg': number} without reflection")
        return element

    def elements(self) -> list[Rotation]:
        raise InvalidRequest(
            "group: SO2 is continuous and cannot be enumerated; name a number of elements", field="group"
        )

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation]:
        return [Rotation(float(angle)) for angle in rng.uniform(0.0, 360.0, size=n)]

    def grid(self, n: int) -> list[Rotation]:
        """Return C_n: every n-th part of the turn. Multiples of 4 include the exact quarter turns."""
        return Cyclic(n).elements()


def _nth_turn(k: int, n: int, reflected: bool = False) -> Rotation:
    return Rotation(360.0 * (k % n) / n, reflected)
