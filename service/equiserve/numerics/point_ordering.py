"""Farthest-point order of a cloud: every prefix covers it evenly, which is all that the levels of a network need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def farthest_point_order(points: NDArray[Any], prefix: int) -> NDArray[np.int64]:
    """Return the order in which each of the first `prefix` points is the farthest from those before it.

    The first point is the one farthest from the centroid, so that the order turns and moves with the cloud and does
    not depend on how its points came, but for ties. The rest follow as they came: no level looks at their order.

    Args:
        points: [N, 3], finite.
        prefix: How many to order; all of them where there are fewer.

    Returns:
        A permutation of 0 ... N-1, [N].
    """
    count = min(prefix, len(points))
    if count <= 0:
        return np.arange(len(points))
    # Coordinates in rows: each step is a few passes over contiguous numbers. Relative to the centroid, for the float32.
    cloud = np.asarray(points, np.float64)
    rows = np.ascontiguousarray((cloud - cloud.mean(axis=0)).T, np.float32)
    difference = np.empty_like(rows)
    squares = np.einsum("ij,ij->j", rows, rows)
    nearest = np.full(rows.shape[1], np.inf, np.float32)
    chosen = np.empty(count, np.int64)
    latest = int(squares.argmax())
    for step in range(count):
        chosen[step] = latest
        np.subtract(rows, rows[:, latest, None], out=difference)
        np.multiply(difference, difference, out=difference)
        np.add(difference[0], difference[1], out=squares)
        np.add(squares, difference[2], out=squares)
        np.minimum(nearest, squares, out=nearest)
        nearest[latest] = -1.0  # never twice, even among equal points
        latest = int(nearest.argmax())
    left = np.ones(len(points), np.bool_)
    left[chosen] = False
    return np.concatenate([chosen, np.flatnonzero(left)])
