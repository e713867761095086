"""Rotations of space as unit quaternions (w, x, y, z), rotation vectors and matrices.

Matrices act on columns, v -> R v; products are read right to left, as matrices are. Every function takes any leading
axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALL = 1e-8


def normalised(q: NDArray[Any]) -> NDArray[np.float64]:
    """Return the quaternions [..., 4] with unit length."""
    values = np.asarray(q, np.float64)
    # Scaled first: the square of a tiny component would be 0.
    values = values / np.abs(values).max(axis=-1, keepdims=True)
    return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True))


def multiply(p: NDArray[Any], q: NDArray[Any]) -> NDArray[np.float64]:
    """Return Hamilton's product pq, whose rotation is first that of q, then that of p; [..., 4]."""
    a, b, c, d = np.moveaxis(np.asarray(p, np.float64), -1, 0)
    w, x, y, z = np.moveaxis(np.asarray(q, np.float64), -1, 0)
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=-1,
    )


def conjugate(q: NDArray[Any]) -> NDArray[np.float64]:
    """Return the inverse rotation of unit quaternions [..., 4]."""
    return np.asarray(q, np.float64) * (1.0, -1.0, -1.0, -1.0)


def angle(q: NDArray[Any]) -> NDArray[np.float64]:
    """Return the angle of rotation, radians in [0, pi]; exact near 0 too, where an arc cosine is not."""
    return np.asarray(2 * np.arctan2(np.linalg.norm(q[..., 1:], axis=-1), np.abs(q[..., 0])))


def to_matrix(q: NDArray[Any]) -> NDArray[np.float64]:
    """Return the matrices [..., 3, 3] of unit quaternions [..., 4]."""
    w, x, y, z = np.moveaxis(np.asarray(q, np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Return the unit quaternions [..., 4] of rotation matrices [..., 3, 3].

    Bar-Itzhack's method: the quaternion is the leading eigenvector of a symmetric 4 x 4 matrix, so that no angle is a
    special case and a matrix that is slightly off gives the nearest rotation.
    """
    m = np.asarray(matrix, np.float64)
    k = np.empty((*m.shape[:-2], 4, 4))
    k[..., 1:, 1:] = m + np.swapaxes(m, -1, -2)
    trace = np.trace(m, axis1=-2, axis2=-1)
    k[..., range(1, 4), range(1, 4)] -= trace[..., None]
    axis = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], axis=-1)
    k[..., 0, 1:] = k[..., 1:, 0] = axis
    k[..., 0, 0] = trace
    return np.asarray(np.linalg.eigh(k).eigenvectors[..., -1])


def from_vector(vector: NDArray[Any]) -> NDArray[np.float64]:
    """Return the unit quaternions [..., 4] of rotation vectors [..., 3] (axis times angle, radians)."""
    values = np.asarray(vector, np.float64)
    half = np.linalg.norm(values, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), values * np.sinc(half / np.pi) / 2], axis=-1)


def to_vector(q: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rotation vectors [..., 3] of unit quaternions [..., 4], of length at most pi."""
    values = np.where(q[..., :1] < 0, -np.asarray(q, np.float64), q)
    length = np.linalg.norm(values[..., 1:], axis=-1, keepdims=True)
    small = length < _SMALL
    ratio = 2 * np.arctan2(length, values[..., :1]) / np.where(small, 1.0, length)
    return np.asarray(values[..., 1:] * np.where(small, 2.0, ratio))
