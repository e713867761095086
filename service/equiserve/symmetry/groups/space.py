"""Rotations and inversions of space: SO(3), O(3) and the 60 rotations of the icosahedron."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry import quaternions
from equiserve.symmetry.elements import Element, Rotation3D
from equiserve.symmetry.groups.group import continuous, draw, not_in_group, require_positive
from equiserve.symmetry.groups.linear import GENERATING_RADIANS, LinearGroup

_GOLDEN_RATIO = (1 + 5**0.5) / 2
# Positive root of x^4 = x + 4, and the square root of 2: Alexa's constants.
_PSI, _PHI = 1.533751168755204288118041, 2**0.5
_ANGLE_TOLERANCE_DEG = 1e-6
_IDENTITY = Rotation3D((1.0, 0.0, 0.0, 0.0))


class SpaceGroup(LinearGroup[Rotation3D]):
    """What the subgroups of O(3) share; elements are unit quaternions, with or without the inversion."""

    @property
    def dim(self) -> int:
        return 3

    @property
    def identity(self) -> Rotation3D:
        return _IDENTITY

    def parameters(self) -> dict[str, Any]:
        return {}

    def compose(self, g: Rotation3D, h: Rotation3D) -> Rotation3D:
        w, x, y, z = quaternions.multiply(np.array(g.quaternion), np.array(h.quaternion)).tolist()
        return self.canonical(Rotation3D((w, x, y, z), g.inverted != h.inverted))

    def inverse(self, g: Rotation3D) -> Rotation3D:
        w, x, y, z = g.quaternion
        return self.canonical(Rotation3D((w, -x, -y, -z), g.inverted))

    def matrix(self, g: Rotation3D) -> NDArray[np.float64]:
        return g.matrix()

    def distance(self, g: Rotation3D, h: Rotation3D) -> float:
        """Return the angle between two elements in degrees; 180 where one has the inversion and the other not."""
        if g.inverted != h.inverted:
            return 180.0
        between = quaternions.multiply(quaternions.conjugate(np.array(g.quaternion)), np.array(h.quaternion))
        return float(np.rad2deg(quaternions.angle(between)))

    def describe(self, g: Rotation3D) -> str:
        vector = quaternions.to_vector(np.array(g.quaternion))
        angle = float(np.linalg.norm(vector))
        axis = ", ".join(f"{round(float(v), 3) + 0.0:g}" for v in vector / angle) if angle else "no axis"
        turn = f"a rotation by {round(float(np.rad2deg(angle)), 3):g} degrees about ({axis})"
        if not g.inverted:
            return turn if angle else "a rotation by 0 degrees"
        return f"{turn} and the inversion" if angle else "the inversion"


class _AllRotations(SpaceGroup):
    @property
    def order(self) -> None:
        return None

    def elements(self) -> list[Rotation3D]:
        raise continuous(self)


@dataclass(frozen=True)
class SO3(_AllRotations):
    """All rotations of space."""

    @property
    def name(self) -> str:
        return "SO3"

    def canonical(self, element: Element) -> Rotation3D:
        if not isinstance(element, Rotation3D) or element.inverted:
            raise not_in_group(element, self, "a rotation {'quaternion': [w, x, y, z]} without inversion")
        return element

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation3D]:
        return [Rotation3D((w, x, y, z)) for w, x, y, z in rng.normal(size=(n, 4)).tolist()]

    def grid(self, n: int) -> list[Rotation3D]:
        """Return the 60 rotations of the icosahedron for n = 60, else n well-spread ones, the identity first.

        Others are super-Fibonacci spirals (Alexa, CVPR 2022), turned so that the identity is one of them. Grids of
        different n share nothing but the identity.
        """
        require_positive("n", n)
        if n == 60:
            return Icosahedral().elements()
        spiral = _super_fibonacci(n)
        turned = quaternions.multiply(quaternions.conjugate(spiral[0]), spiral)
        return [_IDENTITY, *(Rotation3D((w, x, y, z)) for w, x, y, z in turned[1:].tolist())]

    def exact_subgroup(self) -> Icosahedral:
        return Icosahedral()

    def generators(self) -> NDArray[np.float64]:
        return self.stacked([Rotation3D.from_vector(axis) for axis in GENERATING_RADIANS * np.eye(3)])


@dataclass(frozen=True)
class O3(_AllRotations):
    """All rotations of space, and their products with the inversion x -> -x (mirror images among them)."""

    @property
    def name(self) -> str:
        return "O3"

    def canonical(self, element: Element) -> Rotation3D:
        if not isinstance(element, Rotation3D):
            raise not_in_group(element, self, "{'quaternion': [w, x, y, z], 'inverted': bool}")
        return element

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation3D]:
        inverted = rng.integers(2, size=n).tolist()
        rotations = SO3().sample(rng, n)
        return [Rotation3D(g.quaternion, bool(i)) for g, i in zip(rotations, inverted, strict=True)]

    def grid(self, n: int) -> list[Rotation3D]:
        """Return a grid of SO(3) of half the size, then the same with the inversion."""
        half = SO3().grid(-(-n // 2)) if n > 0 else []
        require_positive("n", n)
        return [*half, *(Rotation3D(g.quaternion, inverted=True) for g in half)][:n]

    def exact_subgroup(self) -> Icosahedral:
        return Icosahedral(inversion=True)

    def generators(self) -> NDArray[np.float64]:
        return np.concatenate([SO3().generators(), -np.eye(3)[None]])


@dataclass(frozen=True)
class Icosahedral(SpaceGroup):
    """The 60 rotations of the icosahedron with vertices (0, +-1, +-golden ratio) and cyclic; 120 with the inversion.

    Args:
        inversion: Whether x -> -x belongs to it (I_h).
    """

    inversion: bool = False

    def __post_init__(self) -> None:
        if type(self.inversion) is not bool:
            raise InvalidRequest(f"inversion: got {self.inversion!r}, expected true or false", field="inversion")

    @property
    def name(self) -> str:
        return "Icosahedral:inversion" if self.inversion else "Icosahedral"

    @property
    def order(self) -> int:
        return 120 if self.inversion else 60

    def parameters(self) -> dict[str, bool]:
        return {"inversion": self.inversion}

    def canonical(self, element: Element) -> Rotation3D:
        if isinstance(element, Rotation3D) and (self.inversion or not element.inverted):
            # |<p, q>| = cos(angle / 2): largest for the nearest.
            nearest = int(np.argmax(np.abs(_icosahedral_array() @ np.array(element.quaternion))))
            known = Rotation3D(_icosahedral_rotations()[nearest].quaternion, element.inverted)
            if self.distance(known, element) < _ANGLE_TOLERANCE_DEG:
                return known
        raise not_in_group(element, self, f"one of its {self.order} elements")

    def elements(self) -> list[Rotation3D]:
        proper = list(_icosahedral_rotations())
        return proper + [Rotation3D(g.quaternion, inverted=True) for g in proper] if self.inversion else proper

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation3D]:
        return draw(self.elements(), rng, n)

    def generators(self) -> NDArray[np.float64]:
        rotations = self.stacked(_ICOSAHEDRAL_GENERATORS)
        return np.concatenate([rotations, -np.eye(3)[None]]) if self.inversion else rotations


# A fifth of a turn about a vertex and a third about the middle of a face.
_ICOSAHEDRAL_GENERATORS = (
    Rotation3D.about((0.0, 1.0, _GOLDEN_RATIO), 72.0),
    Rotation3D.about((1.0, 1.0, 1.0), 120.0),
)


@lru_cache(maxsize=1)
def _icosahedral_rotations() -> tuple[Rotation3D, ...]:
    """Return the closure of the two generators, the identity first, then by angle."""
    found = [np.array(_IDENTITY.quaternion)]
    for element in found:  # grows on the way
        for generator in _ICOSAHEDRAL_GENERATORS:
            product = quaternions.multiply(np.array(generator.quaternion), element)
            if all(abs(abs(product @ other) - 1) > 1e-9 for other in found):
                found.append(product)
    rotations = [Rotation3D((w, x, y, z)) for w, x, y, z in np.array(found).tolist()]
    return tuple(sorted(rotations, key=lambda g: tuple(-round(v, 6) for v in g.quaternion)))


@lru_cache(maxsize=1)
def _icosahedral_array() -> NDArray[np.float64]:
    return np.array([g.quaternion for g in _icosahedral_rotations()])


def _super_fibonacci(n: int) -> NDArray[np.float64]:
    s = np.arange(n) + 0.5
    inner, outer = np.sqrt(s / n), np.sqrt(1 - s / n)
    a, b = 2 * np.pi * s / _PHI, 2 * np.pi * s / _PSI
    return np.stack([inner * np.sin(a), inner * np.cos(a), outer * np.sin(b), outer * np.cos(b)], axis=-1)
