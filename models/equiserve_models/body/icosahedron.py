"""Tables of the icosahedron's rotations: twelve directions, sixty rotations, and how one permutes the other.

Source: features on the vertices as in Zhu et al. 2023 (E2PN, arXiv 2206.05398); the sixty rotations are the group of
Feng et al. 2023 (ArtEq, arXiv 2304.10528).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.groups import Icosahedral

DIRECTIONS = 12
ROTATIONS = 60


@cache
def rotations() -> NDArray[np.float64]:
    """Return the sixty rotation matrices, [60, 3, 3], in the order of `equiserve.symmetry.groups.Icosahedral`."""
    group = Icosahedral()
    return group.stacked(group.elements())


@cache
def directions() -> NDArray[np.float64]:
    """Return the vertices as unit vectors, [12, 3]; vertex a + 6 is the antipode of vertex a."""
    corner = np.array([0.0, 1.0, (1 + 5**0.5) / 2])
    turned = rotations() @ (corner / np.linalg.norm(corner))
    half: list[NDArray[np.float64]] = []
    for vertex in turned:
        if all(abs(vertex @ other) < 1 - 1e-9 for other in half):
            half.append(vertex)
    return np.concatenate([half, -np.array(half)])


def permutation(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return [60, n]: the index of g y among `points` [n, 3], for each rotation g and point y."""
    turned = np.einsum("gij,nj->gni", rotations(), points)
    apart = np.linalg.norm(turned[:, :, None] - points, axis=-1)
    found = apart.argmin(axis=-1)
    assert np.take_along_axis(apart, found[..., None], -1).max() < 1e-9, "not a union of orbits"
    return found


@cache
def direction_relations() -> tuple[NDArray[np.int64], int]:
    """Return the class of each pair of directions, [12, 12], and their number, 4: itself, near, far, antipode."""
    cosines = np.round(directions() @ directions().T, 6)
    values, classes = np.unique(-cosines, return_inverse=True)
    return classes.reshape(DIRECTIONS, DIRECTIONS), len(values)


@cache
def directed_edges() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each rotation takes one fixed edge of the icosahedron: its two ends, [60] each.

    The group acts on the sixty directed edges as on itself, so that a pair of direction features is a feature of a
    rotation: h at edge (ga, gb) is that of the rotation g.
    """
    moved = permutation(directions())
    near = int(np.argsort(-(directions() @ directions()[0]), kind="stable")[1])
    return moved[:, 0], moved[:, near]
