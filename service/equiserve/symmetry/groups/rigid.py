"""Translations and rigid motions of space: T(n) and SE(3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, RigidMotion, Rotation3D, Translation
from equiserve.symmetry.groups.group import continuous, finite, not_in_group, require_positive, written
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.groups.space import SO3

MOST_DIMENSIONS = 16


@dataclass(frozen=True)
class Translations(LinearGroup[Translation]):
    """T(n): all translations of n-dimensional space.

    The group is unbounded: samples and grids come from a box, so an average over them is local.

    Args:
        dim: n.
        reach: Half the side of the box, in the units of the frame.
    """

    dim: int = 3
    reach: float = 1.0

    def __post_init__(self) -> None:
        require_positive("dim", self.dim, MOST_DIMENSIONS)
        object.__setattr__(self, "reach", require_above_zero("reach", self.reach))

    @property
    def name(self) -> str:
        return f"T{self.dim}:{written(self.reach)}"

    @property
    def order(self) -> None:
        return None

    @property
    def identity(self) -> Translation:
        return Translation((0.0,) * self.dim)

    def parameters(self) -> dict[str, float]:
        return {"dim": self.dim, "reach": self.reach}

    def canonical(self, element: Element) -> Translation:
        if not isinstance(element, Translation) or len(element.vector) != self.dim:
            raise not_in_group(element, self, f"{{'translation': [{self.dim} numbers]}}")
        return element

    def compose(self, g: Translation, h: Translation) -> Translation:
        return Translation(tuple(a + b for a, b in zip(g.vector, h.vector, strict=True)))

    def inverse(self, g: Translation) -> Translation:
        return Translation(tuple(-a for a in g.vector))

    def elements(self) -> list[Translation]:
        raise continuous(self)

    def sample(self, rng: np.random.Generator, n: int) -> list[Translation]:
        return [Translation(tuple(v)) for v in rng.uniform(-self.reach, self.reach, size=(n, self.dim)).tolist()]

    def grid(self, n: int) -> list[Translation]:
        require_positive("n", n)
        return [Translation(tuple(v)) for v in (self.reach * spread(n, self.dim)).tolist()]

    def distance(self, g: Translation, h: Translation) -> float:
        """Return the Euclidean distance, in the units of the frame."""
        return math.dist(g.vector, h.vector)

    def describe(self, g: Translation) -> str:
        return f"a translation by ({', '.join(f'{v:.4g}' for v in g.vector)})"

    def matrix(self, g: Translation) -> NDArray[np.float64]:
        return np.eye(self.dim)

    def translation(self, g: Translation) -> NDArray[np.float64]:
        return np.array(g.vector)

    def generators(self) -> NDArray[np.float64]:
        return np.empty((0, self.dim, self.dim))


@dataclass(frozen=True)
class SE3(LinearGroup[RigidMotion]):
    """All rigid motions p -> R p + t of space.

    Args:
        reach: Half the side of the box that samples of t come from, in the units of the frame.
    """

    reach: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", require_above_zero("reach", self.reach))

    @property
    def name(self) -> str:
        return f"SE3:{written(self.reach)}"

    @property
    def dim(self) -> int:
        return 3

    @property
    def order(self) -> None:
        return None

    @property
    def identity(self) -> RigidMotion:
        return RigidMotion(SO3().identity, (0.0, 0.0, 0.0))

    def parameters(self) -> dict[str, float]:
        return {"reach": self.reach}

    def canonical(self, element: Element) -> RigidMotion:
        if not isinstance(element, RigidMotion):
            raise not_in_group(element, self, "{'quaternion': [w, x, y, z], 'translation': [x, y, z]}")
        return element

    def compose(self, g: RigidMotion, h: RigidMotion) -> RigidMotion:
        return _motion(
            SO3().compose(g.rotation, h.rotation), g.rotation.matrix() @ h.translation + np.array(g.translation)
        )

    def inverse(self, g: RigidMotion) -> RigidMotion:
        return _motion(SO3().inverse(g.rotation), -(g.rotation.matrix().T @ g.translation))

    def elements(self) -> list[RigidMotion]:
        raise continuous(self)

    def sample(self, rng: np.random.Generator, n: int) -> list[RigidMotion]:
        rotations = SO3().sample(rng, n)
        return [_motion(r, t) for r, t in zip(rotations, rng.uniform(-self.reach, self.reach, (n, 3)), strict=True)]

    def grid(self, n: int) -> list[RigidMotion]:
        return [_motion(r, self.reach * t) for r, t in zip(SO3().grid(n), spread(n, 3), strict=True)]

    def distance(self, g: RigidMotion, h: RigidMotion) -> float:
        """Return the root of (angle in radians)^2 + (distance of the translations)^2.

        Composition from the left preserves it; no metric on SE(3) is preserved from both sides.
        """
        angle = math.radians(SO3().distance(g.rotation, h.rotation))
        return math.hypot(angle, math.dist(g.translation, h.translation))

    def describe(self, g: RigidMotion) -> str:
        moved = ", ".join(f"{v:.4g}" for v in g.translation)
        return f"{SO3().describe(g.rotation)} and then a translation by ({moved})"

    def matrix(self, g: RigidMotion) -> NDArray[np.float64]:
        return g.rotation.matrix()

    def translation(self, g: RigidMotion) -> NDArray[np.float64]:
        return np.array(g.translation)

    def generators(self) -> NDArray[np.float64]:
        return SO3().generators()


def spread(n: int, dim: int) -> NDArray[np.float64]:
    """Return ``n`` evenly spread points of [-1, 1]^dim, [n, dim], the origin first; more points begin with fewer.

    An additive recurrence: steps are powers of the root of x^(dim + 1) = x + 1, the generalised golden ratio (Roberts'
    R sequence).
    """
    root = 2.0
    for _ in range(40):
        root = (1 + root) ** (1 / (dim + 1))
    steps = root ** -np.arange(1.0, dim + 1)
    return np.asarray((0.5 + np.outer(np.arange(n), steps)) % 1.0 * 2 - 1)


def _motion(rotation: Rotation3D, translation: NDArray[np.float64]) -> RigidMotion:
    x, y, z = translation.tolist()
    return RigidMotion(rotation, (x, y, z))


def require_above_zero(field: str, value: object) -> float:
    """Return ``value`` as a float; InvalidRequest unless it is a finite number above 0."""
    number = finite(field, value)
    if number <= 0:
        raise InvalidRequest(f"{field}: got {number:g}, expected a number above 0", field=field)
    return number
