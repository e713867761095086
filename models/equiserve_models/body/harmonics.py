"""Real spherical harmonics up to degree 2 on the twelve directions, and how products of them turn.

A function on the twelve vertices of the icosahedron has room for the nine harmonics of degree 0, 1 and 2; the vertices
are a spherical 5-design, so that both ways between values and coefficients are exact. Coefficients turn by *every*
rotation, not only by sixty: a convolution in them is as equivariant as the directions before and after it allow.

Source: tensor field networks (Thomas et al. 2018, arXiv 1802.08219), for the coupling of a kernel's harmonics with a
feature's.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

DEGREES = (0, 1, 2)
COEFFICIENTS = 9
# Where the coefficients of a degree stand.
SLICES = (slice(0, 1), slice(1, 4), slice(4, 9))
# Degrees of the parts of a kernel: an inner hat with degrees 0 and 1, an outer one with 0, 1 and 2.
KERNEL_DEGREES = (0, 1, 0, 1, 2)


def harmonics(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the solid harmonics r^l Y_lm of vectors, [..., 3] -> [..., 9]; each has mean square 1 on the sphere."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    first = np.sqrt(3) * np.stack([x, y, z])
    second = np.sqrt(15) * np.stack(
        [x * y, y * z, z * x, (2 * z * z - x * x - y * y) / np.sqrt(12), (x * x - y * y) / 2]
    )
    return np.moveaxis(np.concatenate([np.ones_like(x)[None], first, second]), 0, -1)


def wigner(rotation: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return D with Y_l(R x) = D Y_l(x), [2 l + 1, 2 l + 1], from the harmonics themselves."""
    points = np.random.default_rng(0).normal(size=(32, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    before, after = harmonics(points)[:, SLICES[degree]], harmonics(points @ rotation.T)[:, SLICES[degree]]
    return np.asarray(np.linalg.lstsq(before, after, rcond=None)[0].T, np.float64)


@cache
def coupling(one: int, other: int, result: int) -> NDArray[np.float64]:
    """Return the bilinear map of degrees `one` and `other` to degree `result` that turns with them.

    It is unique up to its size: the one vector of the tensor product of all three that rotations leave alone.

    Returns:
        [2 one + 1, 2 other + 1, 2 result + 1], of Frobenius norm sqrt(2 result + 1).
    """
    shape = tuple(2 * degree + 1 for degree in (one, other, result))
    violation = np.zeros((int(np.prod(shape)),) * 2)
    for rotation in _two_turns():
        turned = np.kron(np.kron(wigner(rotation, one), wigner(rotation, other)), wigner(rotation, result))
        change = turned - np.eye(len(turned))
        violation += change.T @ change
    sizes, vectors = np.linalg.eigh(violation)
    assert (sizes < 1e-9).sum() == 1, "not unique"
    table = vectors[:, 0].reshape(shape)
    return table * np.sign(table.ravel()[np.abs(table).argmax()]) * np.sqrt(shape[2])


def paths(result: int) -> list[tuple[int, int]]:
    """Return the (part of the kernel, degree of the feature) whose product has a component of degree `result`."""
    return [
        (part, degree)
        for part, kernel in enumerate(KERNEL_DEGREES)
        for degree in DEGREES
        if abs(kernel - degree) <= result <= kernel + degree
    ]


@cache
def coupling_matrix() -> NDArray[np.float64]:
    """Return all couplings of a kernel with a feature as one matrix, [117, 80].

    Rows are (kernel function, coefficient of the feature); columns are, degree by degree, (path, coefficient).
    """
    starts = np.cumsum([0, *(2 * degree + 1 for degree in KERNEL_DEGREES)])
    columns = []
    for result in DEGREES:
        for part, degree in paths(result):
            block = np.zeros((starts[-1], COEFFICIENTS, 2 * result + 1))
            block[starts[part] : starts[part + 1], SLICES[degree]] = coupling(KERNEL_DEGREES[part], degree, result)
            columns.append(block.reshape(-1, 2 * result + 1))
    return np.concatenate(columns, axis=1)


def _two_turns() -> list[NDArray[np.float64]]:
    # Two turns about two axes by angles that are no part of a full turn generate all rotations.
    cos, sin = np.cos(1.0), np.sin(1.0)
    about_z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return [about_z, about_z[[1, 2, 0]][:, [1, 2, 0]]]
