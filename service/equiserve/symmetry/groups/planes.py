"""Groups of a plane at work in other coordinates: about an axis of space, or with y pointing down."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import Group, finite, written
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.groups.rotations import PlaneGroup

AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


class EmbeddedGroup(LinearGroup[Rotation]):
    """A group of the plane whose plane is spanned by two orthonormal directions of other coordinates."""

    group: PlaneGroup

    @abstractmethod
    def basis(self) -> NDArray[np.float64]:
        """Return [dim, 2]: the plane's "right" and "up" as columns."""

    @property
    def is_group(self) -> bool:  # type: ignore[override]
        return self.group.is_group

    @property
    def order(self) -> int | None:
        return self.group.order

    @property
    def identity(self) -> Rotation:
        return self.group.identity

    def canonical(self, element: Element) -> Rotation:
        return self.group.canonical(element)

    def compose(self, g: Rotation, h: Rotation) -> Rotation:
        return self.group.compose(g, h)

    def inverse(self, g: Rotation) -> Rotation:
        return self.group.inverse(g)

    def elements(self) -> list[Rotation]:
        return self.group.elements()

    def sample(self, rng: np.random.Generator, n: int) -> list[Rotation]:
        return self.group.sample(rng, n)

    def grid(self, n: int) -> list[Rotation]:
        return self.group.grid(n)

    def distance(self, g: Rotation, h: Rotation) -> float:
        return self.group.distance(g, h)

    def exact_subgroup(self) -> Group[Any] | None:
        return self.group.exact_subgroup()

    def matrix(self, g: Rotation) -> NDArray[np.float64]:
        return self._embedded(self.group.matrix(g))

    def generators(self) -> NDArray[np.float64]:
        return np.array([self._embedded(m) for m in self.group.generators()]).reshape(-1, self.dim, self.dim)

    def _embedded(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        basis = self.basis()
        return np.asarray(basis @ (matrix - np.eye(2)) @ basis.T + np.eye(self.dim))


@dataclass(frozen=True)
class AboutAxis(EmbeddedGroup):
    """Rotations about an axis of space, right-handed (in a right-handed frame), and mirror images that keep the axis.

    Args:
        group: Of the plane that is perpendicular to the axis.
        axis: Three numbers, not all 0; stored with unit length. Names take ``x``, ``y`` and ``z`` too.
    """

    group: PlaneGroup
    axis: tuple[float, float, float]

    def __post_init__(self) -> None:
        _require_plane(self.group)
        given = AXES.get(self.axis, self.axis) if isinstance(self.axis, str) else self.axis
        if not isinstance(given, tuple) or len(given) != 3:
            raise InvalidRequest(f"axis: got {self.axis!r}, expected three numbers, or x, y or z", field="axis")
        axis = np.array([finite("axis", value) for value in given])
        if not axis.any():
            raise InvalidRequest(f"axis: got {self.axis!r}, expected numbers that are not all 0", field="axis")
        unit = axis / np.abs(axis).max()
        unit = unit / np.linalg.norm(unit)
        object.__setattr__(self, "axis", tuple((np.round(unit, 12) + 0.0).tolist()))

    @property
    def name(self) -> str:
        letter = next((letter for letter, axis in AXES.items() if axis == self.axis), None)
        return f"{self.group.name} about {letter or ','.join(map(written, self.axis))}"

    @property
    def dim(self) -> int:
        return 3

    def parameters(self) -> dict[str, Any]:
        return {"group": self.group.spec(), "axis": list(self.axis)}

    def basis(self) -> NDArray[np.float64]:
        axis = np.array(self.axis)
        # The coordinate that is most nearly perpendicular, the first of equals: (x, y) for z, (x, -z) for y.
        right = np.eye(3)[np.argmin(np.round(np.abs(axis), 9))]
        right = right - axis * (axis @ right)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(axis, right)], axis=-1)

    def describe(self, g: Rotation) -> str:
        axis = next((letter for letter, axis in AXES.items() if axis == self.axis), None)
        place = axis or "(" + ", ".join(f"{v:.3g}" for v in self.axis) + ")"
        turn = f"a rotation by {round(g.angle_deg, 3):g} degrees about {place}"
        return f"a mirror image and then {turn}" if g.reflected else turn


@dataclass(frozen=True)
class YDown(EmbeddedGroup):
    """A group of the plane acting on (x, y) with y **down**, as pixel coordinates have it.

    A positive angle turns counter-clockwise as seen on the screen, which is clockwise by the numbers.

    Args:
        group: Of the plane.
    """

    group: PlaneGroup

    def __post_init__(self) -> None:
        _require_plane(self.group)

    @property
    def name(self) -> str:
        return f"{self.group.name} y-down"

    @property
    def dim(self) -> int:
        return 2

    def parameters(self) -> dict[str, Any]:
        return {"group": self.group.spec()}

    def basis(self) -> NDArray[np.float64]:
        return np.diag([1.0, -1.0])

    def describe(self, g: Rotation) -> str:
        return self.group.describe(g)


def axis_of_plane(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the axis about which ``first`` turns towards ``second``, the shorter way."""
    x, y, z = np.cross(first, second).tolist()
    return x, y, z


def _require_plane(group: object) -> None:
    if not isinstance(group, PlaneGroup):
        name = group.name if isinstance(group, Group) else group
        raise InvalidRequest(
            f"group: got {name}, expected a group of the plane such as SO2, O2, C4 or D4", field="group"
        )
