"""Tables of the icosahedron's rotations: twelve directions, sixty rotations, and which weights of a kernel are one.

A rotation g of the group takes direction a to direction g(a) and a kernel point k to g(k), so that a turned feature or
kernel is a permuted one. A convolution from directions b to directions a over kernel points k is equivariant when its
weights obey W[g(k), g(b), g(a)] = W[k, b, a]: one free weight an orbit of the group on these triples.

Source: the vertex features are those of Zhu et al. 2023 (E2PN, arXiv 2206.05398); the sixty rotations are the group of
Feng et al. 2023 (ArtEq, arXiv 2304.10528).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.groups import Icosahedral

DIRECTIONS = 12
ROTATIONS = 60
KERNEL_POINTS = 13


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


@cache
def kernel_points() -> NDArray[np.float64]:
    """Return the centre and the twelve vertices, [13, 3], in units of the kernel's reach: a union of two orbits."""
    return np.concatenate([np.zeros((1, 3)), directions()])


def permutation(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return [60, n]: the index of g y among `points` [n, 3], for each rotation g and point y."""
    turned = np.einsum("gij,nj->gni", rotations(), points)
    apart = np.linalg.norm(turned[:, :, None] - points, axis=-1)
    found = apart.argmin(axis=-1)
    assert np.take_along_axis(apart, found[..., None], -1).max() < 1e-9, "not a union of orbits"
    return found


@cache
def kernel_orbits() -> tuple[NDArray[np.int64], int]:
    """Return the orbit of each triple (kernel point, direction in, direction out), [13, 12, 12]; and how many: 36."""
    points, moved = permutation(kernel_points()), permutation(directions())
    orbit = np.full((KERNEL_POINTS, DIRECTIONS, DIRECTIONS), -1, np.int64)
    count = 0
    for triple in np.ndindex(orbit.shape):
        if orbit[triple] < 0:
            k, b, a = triple
            orbit[points[:, k], moved[:, b], moved[:, a]] = count
            count += 1
    return orbit, count


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
