"""Worst rotation of space: neighbours at half the radius of the Voronoi cells that look worst."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.elements import Rotation3D
from equiserve.symmetry.groups import Group

_AXES = tuple(tuple(sign * float(k == axis) for k in range(3)) for axis in range(3) for sign in (1.0, -1.0))


@dataclass(frozen=True)
class RotationSearch:
    """Search among rotations of space.

    Every tried rotation owns the rotations that are nearer to it than to any other; its radius is the distance to its
    nearest neighbour. Each round takes the rotation whose surroundings may hide the lowest value, if the function is
    nowhere steeper than seen so far, and tries those of its six neighbours along the axes at half that radius which
    nobody else is closer to.

    Args:
        group: SO(3), for its grid and composition.
        uniform: Elements of the start, from the group's grid (60: the icosahedral rotations).
        per_round: Elements of each later round.
        resolution_deg: Radii below this are not divided.
    """

    group: Group[Any]
    uniform: int = 60
    per_round: int = 6
    resolution_deg: float = 0.5
    _start: tuple[Rotation3D, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_start", tuple(self.group.grid(self.uniform)))

    def uniform_elements(self) -> list[Rotation3D]:
        """Return the rotations of the start: the means are over these."""
        return list(self._start)

    def next_elements(self, observed: Mapping[Rotation3D, float]) -> list[Rotation3D]:
        """Return the rotations to try next; none where nothing is left to divide.

        Args:
            observed: Value by rotation, as this search named them; a NaN counts as the lowest value.
        """
        missing = [element for element in self._start if element not in observed]
        if missing:
            return missing
        tried = list(observed)
        values = np.array([observed[element] for element in tried])
        values = np.where(np.isfinite(values), values, values[np.isfinite(values)].min(initial=0.0))
        places = _quaternions(tried)
        apart = _angles(places, places)
        np.fill_diagonal(apart, np.inf)
        radii = apart.min(axis=1)
        steepest = float((np.abs(values[:, None] - values[None, :]) / apart).max())
        chosen: list[Rotation3D] = []
        for k in np.argsort(values - steepest * radii / 2, kind="stable"):
            if radii[k] > self.resolution_deg:
                chosen += self._neighbours(tried[k], float(radii[k]) / 2, [*tried, *chosen])
            if len(chosen) >= self.per_round:
                break
        return chosen[: self.per_round]

    def uniform_mean(self, observed: Mapping[Rotation3D, float]) -> float:
        """Return the mean of the observed values over the uniform elements alone."""
        return math.fsum(observed[element] for element in self._start) / len(self._start)

    def _neighbours(self, centre: Rotation3D, radius: float, tried: Sequence[Rotation3D]) -> list[Rotation3D]:
        around = [self.group.compose(Rotation3D.about(axis, radius), centre) for axis in _AXES]
        nearest = _angles(_quaternions(around), _quaternions(tried)).min(axis=1)
        # Half the radius keeps clear of other centres, but not of their own neighbours.
        return [g for g, distance in zip(around, nearest, strict=True) if distance > 0.9 * radius]


def _quaternions(rotations: Sequence[Rotation3D]) -> NDArray[np.float64]:
    return np.array([rotation.quaternion for rotation in rotations])


def _angles(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles in degrees [A, B] between the rotations of unit quaternions [A, 4] and [B, 4]."""
    return np.asarray(np.rad2deg(2 * np.arccos(np.clip(np.abs(a @ b.T), 0.0, 1.0))))
