"""Actions on coordinates: points, vectors and all other tensors by their representation; rotations; angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry import quaternions
from equiserve.symmetry.actions.action import TensorAction, does_not_act
from equiserve.symmetry.actions.pixel_fields import wrong_size
from equiserve.symmetry.elements import Element, Rotation
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.representations import Representation


@dataclass(frozen=True)
class Components(TensorAction):
    """Components that transform by a representation: x -> rho(g) x, and + t for points.

    Args:
        name: The tensor.
        representation: Of the axes below, taken together in row-major order.
        axes: Which axes those are, counted from the end.
        points: Whether the components are those of points, which translations move; the representation is then V or
            a number of them.
    """

    name: str
    representation: Representation
    axes: tuple[int, ...] = (-1,)
    points: bool = False

    @property
    def group(self) -> LinearGroup[Any]:  # type: ignore[override]
        """The representation's group."""
        return self.representation.group

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`; computed in float64."""
        if array.dtype.kind != "f":
            raise does_not_act(self.name, self.group, f"its dtype is {array.dtype}, expected floating components")
        last = tuple(range(-len(self.axes), 0))
        there = np.moveaxis(array, self.axes, last)
        flat = there.reshape(*there.shape[: -len(self.axes)], -1).astype(np.float64)
        if flat.shape[-1] != self.representation.dim:
            raise wrong_size(self.name, "coord", flat.shape[-1], self.representation.dim)
        moved = flat @ self.representation.matrix(element).T
        if self.points:
            moved += np.tile(self.group.translation(element), flat.shape[-1] // self.group.dim)
        return np.moveaxis(moved.reshape(there.shape), last, self.axes).astype(array.dtype)


@dataclass(frozen=True)
class Homogeneous(TensorAction):
    """Multiplication by s^degree under a scaling by s (of any matrix: s^dim is the size of its determinant).

    Args:
        name: The tensor.
        group: Acts on coordinates.
        degree: 1 for lengths, 2 for areas, -1 for their inverses; 0 for what does not change.
    """

    name: str
    group: LinearGroup[Any]
    degree: float

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        size = abs(float(np.linalg.det(self.group.matrix(element)))) ** (1 / self.group.dim)
        return np.asarray(array * size**self.degree).astype(array.dtype)


@dataclass(frozen=True)
class Signed(TensorAction):
    """Multiplication by the sign of the determinant: pseudoscalars such as chirality or vorticity.

    Args:
        name: The tensor.
        group: Acts on coordinates.
    """

    name: str
    group: LinearGroup[Any]

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`."""
        return -array if np.linalg.det(self.group.matrix(element)) < 0 else array


@dataclass(frozen=True)
class Orientations(TensorAction):
    """Rotations of space that say how things are oriented: R -> gR. Only proper elements act.

    Args:
        name: The tensor.
        group: Acts on 3 coordinates.
        form: ``matrix`` [..., 3, 3] or ``vector`` [..., 3] (axis times angle, radians).
    """

    name: str
    group: LinearGroup[Any]
    form: Literal["matrix", "vector"]

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`; a vector comes back with length at most pi."""
        expected = (3, 3) if self.form == "matrix" else (3,)
        if array.shape[-len(expected) :] != expected:
            raise wrong_size(self.name, "coord", list(array.shape[-len(expected) :]), list(expected))
        turn = proper(self.name, self.group, element)
        if self.form == "matrix":
            return np.asarray(turn @ array.astype(np.float64)).astype(array.dtype)
        values = quaternions.from_vector(array)
        moved = quaternions.multiply(quaternions.from_matrix(turn), values)
        return quaternions.to_vector(moved).astype(array.dtype)


@dataclass(frozen=True)
class Angles(TensorAction):
    """Angles that turn with the picture, counter-clockwise on the screen: the pose that a generator is asked for.

    Args:
        name: The tensor.
        group: Of rotations of the plane, without mirror images: what is drawn has no mirrored pose.
        unit: Of the numbers.
    """

    name: str
    group: Group[Any]
    unit: Literal["rad", "deg"] = "rad"

    def move(self, element: Element, array: NDArray[Any]) -> NDArray[Any]:
        """See `TensorAction.move`; angles come back in [0, a full turn)."""
        if not isinstance(element, Rotation) or element.reflected:
            raise does_not_act(self.name, self.group, "an angle turns, but has no mirror image")
        turn = 360.0 if self.unit == "deg" else 2 * np.pi
        moved = (array.astype(np.float64) + element.angle_deg * turn / 360.0) % turn
        # Rounding to a narrower dtype may reach the full turn itself.
        narrow = moved.astype(array.dtype)
        return np.where(narrow >= turn, array.dtype.type(0), narrow)


def proper(name: str, group: LinearGroup[Any], element: Element) -> NDArray[np.float64]:
    """Return the element's matrix, [3, 3]; InvalidRequest unless it is a rotation."""
    matrix = group.matrix(element)
    if matrix.shape != (3, 3) or np.linalg.det(matrix) < 0 or np.abs(matrix @ matrix.T - np.eye(3)).max() > 1e-6:
        raise does_not_act(name, group, f"{group.describe(element)} is no rotation of space")
    return matrix
