"""Elements that act on points of space: rotations, inversions, translations and rigid motions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry import quaternions

_DECIMALS = 12


@dataclass(frozen=True, slots=True, order=True)
class Rotation3D:
    """An element of O(3): the rotation of a unit quaternion, then the inversion x -> -x if ``inverted``.

    Args:
        quaternion: (w, x, y, z) of any length but 0; stored with unit length, rounded to 1e-12, and of the two signs
            the one whose first component that is not 0 is positive, so that equal rotations are equal values.
        inverted: Whether the determinant is -1.
    """

    quaternion: tuple[float, float, float, float]
    inverted: bool = False

    def __post_init__(self) -> None:
        values = np.asarray(self.quaternion, np.float64)
        if values.shape != (4,) or not np.isfinite(values).all() or not values.any():
            raise InvalidRequest(
                f"quaternion: got {self.quaternion}, expected four finite numbers (w, x, y, z), not all 0",
                field="quaternion",
            )
        values = _rounded(quaternions.normalised(values))
        leading = values[np.flatnonzero(values)[0]]
        object.__setattr__(self, "quaternion", tuple((values if leading > 0 else 0.0 - values).tolist()))

    @classmethod
    def about(cls, axis: Sequence[float], angle_deg: float) -> Rotation3D:
        """Return the right-handed rotation by ``angle_deg`` about ``axis`` (three numbers, any length but 0)."""
        unit = np.asarray(axis, np.float64) / np.linalg.norm(axis)
        return cls.from_vector(unit * np.deg2rad(angle_deg))

    @classmethod
    def from_vector(cls, vector: NDArray[Any]) -> Rotation3D:
        """Return the rotation of a rotation vector [3] (axis times angle, radians)."""
        w, x, y, z = quaternions.from_vector(np.asarray(vector, np.float64)).tolist()
        return cls((w, x, y, z))

    def matrix(self) -> NDArray[np.float64]:
        """Return the orthogonal matrix [3, 3]."""
        rotation = quaternions.to_matrix(np.array(self.quaternion))
        return 0.0 - rotation if self.inverted else rotation

    def to_json(self) -> dict[str, Any]:
        """Return the element as JSON values."""
        return {"quaternion": list(self.quaternion), "inverted": self.inverted}


@dataclass(frozen=True, slots=True, order=True)
class Translation:
    """A translation of space.

    Args:
        vector: One number a coordinate, in the units of the frame; stored rounded to 1e-12.
    """

    vector: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", _vector(self.vector, "translation"))

    def to_json(self) -> dict[str, list[float]]:
        """Return the element as JSON values."""
        return {"translation": list(self.vector)}


@dataclass(frozen=True, slots=True, order=True)
class RigidMotion:
    """An element of SE(3): p -> R p + t.

    Args:
        rotation: R, proper.
        translation: t, in the units of the frame; stored rounded to 1e-12.
    """

    rotation: Rotation3D
    translation: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.rotation.inverted:
            raise InvalidRequest("rotation: got an inversion, expected a proper rotation", field="rotation")
        object.__setattr__(self, "translation", _vector(self.translation, "translation", 3))

    def to_json(self) -> dict[str, list[float]]:
        """Return the element as JSON values."""
        return {"quaternion": list(self.rotation.quaternion), "translation": list(self.translation)}


def _vector(values: Sequence[float], field: str, length: int | None = None) -> tuple[float, ...]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array) or (length or len(array)) != len(array) or not np.isfinite(array).all():
        raise InvalidRequest(f"{field}: got {values}, expected {length or 'some'} finite numbers", field=field)
    return tuple(_rounded(array).tolist())


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Adding 0 turns -0.0 into 0.0: equal values must print alike.
    return np.round(values, _DECIMALS) + 0.0
